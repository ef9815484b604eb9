package main

import (
	"fmt"
	"strings"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

const (
	maxMessage = 1000 // bytes; a message may quote a whole schema
	maxText    = 200  // bytes of each argument of it
	notAllowed = "field not allowed"
	required   = "field is required but not present"
)

type issue struct {
	Stage      string     `json:"stage"` // schema, document, validate or internal
	Path       []string   `json:"path"`  // in the document
	Message    string     `json:"message"`
	Format     string     `json:"format"` // the engine's message with its verbs: a stable code
	Args       []string   `json:"args"`
	Incomplete bool       `json:"incomplete,omitempty"`
	Expected   string     `json:"expected,omitempty"` // of a required field
	Known      []string   `json:"known,omitempty"`    // field names beside an unknown one
	Positions  []position `json:"positions"`
}

type position struct {
	In   string `json:"in"` // schema, document, or engine (a builtin package)
	File string `json:"file,omitempty"`
	Line int    `json:"line"`
	Col  int    `json:"col"` // in bytes, from 1
}

func (is *issue) id() string { return key(is.Path) + "\x00\x00" + is.Message }

// fileNames tells the files of a schema.
type fileNames map[string]bool

// issues flattens an error of the engine; depth is that of the schema in its package.
func (names fileNames) issues(stage string, depth int, err error) (out []issue) {
	for _, e := range errors.Errors(err) {
		is := issue{Stage: stage, Path: []string{}, Positions: []position{}, Args: []string{}}
		var args []any
		is.Format, args = e.Msg()
		for _, arg := range args {
			is.Args = append(is.Args, clip(fmt.Sprint(arg), maxText))
		}
		is.Message = clip(errors.StringWithConfig(e, &errors.Config{OmitPath: true}), maxMessage)
		for i, name := range e.Path() {
			if stage != "validate" || i >= depth {
				is.Path = append(is.Path, unquote(name))
			}
		}
		for _, p := range errors.Positions(e) {
			is.Positions = append(is.Positions, names.position(p))
		}
		out = append(out, is)
	}
	return out
}

func (names fileNames) position(p token.Pos) position {
	at := position{"engine", p.Filename(), p.Line(), p.Column()}
	if names[at.File] {
		at.In = "schema"
	} else if at.File == documentFile {
		at.In, at.File = "document", ""
	}
	return at
}

func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		if s, err := literal.Unquote(name); err == nil {
			return s
		}
	}
	return name
}

func clip(text string, max int) string {
	if len(text) <= max {
		return text
	}
	return strings.ToValidUTF8(text[:max], "") + "…"
}
