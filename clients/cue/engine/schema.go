package main

import (
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// A cue.Context only grows, with every document that is unified in it. So a
// schema is compiled anew when it has been used for so much.
const (
	maxUses    = 200
	maxUsedFor = 16 << 20 // bytes of documents
	maxSchemas = 4
)

type schema struct {
	id         string
	value      cue.Value
	depth      int // of value in its package: how many elements of a path lead to it
	names      fileNames
	hasSecrets bool
	uses       int
	usedFor    int
}

// schemas holds what was compiled, the last used one first.
var schemas []*schema

func recall(id string, documentSize int) *schema {
	i := slices.IndexFunc(schemas, func(s *schema) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	s := schemas[i]
	schemas = slices.Delete(schemas, i, i+1)
	if s.uses >= maxUses || s.usedFor >= maxUsedFor {
		return nil
	}
	s.uses++
	s.usedFor += documentSize
	schemas = slices.Insert(schemas, 0, s)
	return s
}

func forget(id string) {
	schemas = slices.DeleteFunc(schemas, func(s *schema) bool { return s.id == id })
}

func compile(id string, src *sources) (*schema, error) {
	inst, err := load(src)
	if err != nil {
		return nil, err
	}
	s := &schema{id: id, names: src.names(), value: cuecontext.New().BuildInstance(inst)}
	if src.Definition != "" && s.value.Err() == nil {
		at := cue.ParsePath(src.Definition)
		if at.Err() != nil {
			return nil, at.Err()
		}
		s.depth = len(at.Selectors())
		if s.value = s.value.LookupPath(at); !s.value.Exists() {
			return nil, errors.Newf(token.NoPos, "the schema has no %s", src.Definition)
		}
	}
	if err := s.value.Validate(); err != nil { // conflicts within the schema itself
		return nil, err
	}
	for _, text := range src.Files {
		s.hasSecrets = s.hasSecrets || strings.Contains(text, secretAttribute)
	}
	forget(id)
	schemas = slices.Insert(schemas, 0, s)
	if len(schemas) > maxSchemas {
		schemas = schemas[:maxSchemas]
	}
	return s, nil
}

func (src *sources) names() fileNames {
	names := fileNames{}
	for name := range src.Files {
		names[name] = true
	}
	return names
}
