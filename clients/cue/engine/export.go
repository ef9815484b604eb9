package main

import (
	"encoding/json"

	"cuelang.org/go/cue"
)

// export appends v as JSON that keeps order and exactness through any JSON
// parser: a map is [1, name, value, …], a list [0, value, …], an integer beyond
// 2^53 {"int": "digits"}. What is not known is left out (nil if that is all of
// v, null in a list), so the caller merges the result under the document: the
// engine only ever adds to it.
func export(out []byte, v cue.Value) []byte {
	v, _ = v.Default()
	it, err := v.Fields()
	isMap := err == nil
	if !isMap {
		list, err := v.List()
		if err != nil {
			return exportScalar(out, v)
		}
		it = &list
	}
	start := len(out)
	if out = append(out, "[0"...); isMap {
		out[start+1] = '1'
	}
	empty := true
	for it.Next() {
		mark := len(out)
		out = append(out, ',')
		if isMap {
			name, _ := json.Marshal(it.Selector().Unquoted())
			out = append(append(out, name...), ',')
		}
		if next := export(out, it.Value()); next != nil {
			out, empty = next, false
		} else if isMap {
			out = out[:mark]
		} else {
			out, empty = append(out, "null"...), false
		}
	}
	if empty && v.Err() != nil {
		return nil
	}
	return append(out, ']')
}

func exportScalar(out []byte, v cue.Value) []byte {
	if v.IncompleteKind() == cue.IntKind {
		if i, err := v.Int(nil); err == nil && (!i.IsInt64() || i.Int64() > 1<<53-1 || i.Int64() < 1-1<<53) {
			return append(append(append(out, `{"int":"`...), i.String()...), `"}`...)
		}
	}
	b, err := v.MarshalJSON()
	if err != nil {
		return nil
	}
	return append(out, b...)
}
