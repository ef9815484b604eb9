//go:build wasip1 && reactor

package main

import (
	"runtime"
	"runtime/debug"
	"unsafe"
)

var in, out []byte

// cue_alloc returns the address of a buffer for n bytes of request.
//
//go:wasmexport cue_alloc
func cueAlloc(n uint32) unsafe.Pointer {
	in = make([]byte, n)
	return unsafe.Pointer(unsafe.SliceData(in))
}

// cue_validate handles the buffer and returns the length of the response.
//
//go:wasmexport cue_validate
func cueValidate() uint32 {
	out = handle(in)
	in = nil
	return uint32(len(out))
}

// cue_result returns the address of the response.
//
//go:wasmexport cue_result
func cueResult() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(out)) }

// cue_gc collects garbage, to be called once the response is read: between calls
// no goroutine runs, so that a collection begun during one is never finished.
//
//go:wasmexport cue_gc
func cueGC() {
	out = nil
	runtime.GC()
}

// No collection begins during a request unless memory runs short: since it would
// not be finished (see cueGC), the rest of the request would pay for its write
// barriers, which is a third of the time of a large document.
func init() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(160 << 20)
}

func main() {} // a reactor (-buildmode=c-shared): only the exports are called
