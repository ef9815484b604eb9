// Command cue validates JSON documents against CUE schemas held in memory, with
// the official CUE engine. It is built as a WebAssembly reactor that is given no
// file and no network. One request in, one response out: see entry_wasip1.go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cuelang.org/go/cue"
	cuejson "cuelang.org/go/encoding/json"
)

const (
	documentFile = "<document>" // not a name that a schema file can have
	maxIssues    = 200          // in one response
)

// A request names its schema by an id; the sources travel only when the engine
// does not have them (response.Unknown asks for them).
type request struct {
	Schema   string          `json:"schema"`
	Sources  *sources        `json:"sources,omitempty"`
	Document json.RawMessage `json:"document"`
	Opaque   [][]string      `json:"opaque,omitempty"` // strings that the schema must not see
	Defaults bool            `json:"defaults,omitempty"`
}

type sources struct {
	Files      map[string]string `json:"files"` // path below the module root -> CUE source
	File       string            `json:"file,omitempty"`
	Directory  string            `json:"directory,omitempty"`
	Definition string            `json:"definition,omitempty"`
}

type response struct {
	OK      bool            `json:"ok"`
	Unknown bool            `json:"unknown,omitempty"` // send the request again with its sources
	Issues  []issue         `json:"issues,omitempty"`
	More    int             `json:"more,omitempty"` // issues left out
	Value   json.RawMessage `json:"value,omitempty"`
	Secrets []secret        `json:"secrets,omitempty"`
}

func handle(raw []byte) []byte {
	var req request
	var resp response
	if err := json.Unmarshal(raw, &req); err != nil {
		resp.Issues = []issue{{Stage: "internal", Message: err.Error()}}
	} else {
		resp = req.respond()
	}
	if n := len(resp.Issues) - maxIssues; n > 0 {
		resp.Issues, resp.More = resp.Issues[:maxIssues], n
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(resp); err != nil {
		return []byte(`{"ok":false,"issues":[{"stage":"internal","message":"cannot encode the response"}]}`)
	}
	return out.Bytes()
}

func (req *request) respond() (resp response) {
	defer func() {
		if r := recover(); r != nil {
			forget(req.Schema)
			resp = response{Issues: []issue{{Stage: "internal", Message: fmt.Sprint("engine panic: ", r)}}}
		}
	}()
	s := recall(req.Schema, len(req.Document))
	if s == nil {
		if req.Sources == nil {
			return response{Unknown: true}
		}
		var err error
		if s, err = compile(req.Schema, req.Sources); err != nil {
			return response{Issues: req.Sources.names().issues("schema", 0, err)}
		}
	}
	expr, err := cuejson.Extract(documentFile, req.Document)
	if err != nil {
		return response{Issues: s.names.issues("document", 0, err)}
	}
	doc := newDocument(expr)
	value, issues := s.check(doc, req.Opaque)
	if s.hasSecrets {
		resp.Secrets = s.secrets(value)
		issues = s.withoutSupplied(issues, value, resp.Secrets)
	}
	resp.Issues = issues
	if resp.OK = len(issues) == 0; resp.OK && req.Defaults {
		resp.Value = export(nil, value)
	}
	return resp
}

func (s *schema) unify(doc *document) cue.Value {
	return s.value.Unify(s.value.Context().BuildExpr(doc.expr))
}
