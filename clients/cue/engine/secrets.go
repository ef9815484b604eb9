package main

import (
	"slices"
	"strconv"

	"cuelang.org/go/cue"
)

const secretAttribute = "@secret("

// A secret is a field with a @secret(…) attribute. Its value comes from
// elsewhere, so that it may be absent from the document.
type secret struct {
	Path      []string `json:"path"`
	Reference string   `json:"reference"`
	Position  position `json:"position"`
}

func (s *schema) secrets(v cue.Value) (found []secret) {
	var walk func(v cue.Value, path []string)
	note := func(v cue.Value, path []string) {
		for _, a := range v.Attributes(cue.FieldAttr) {
			if a.Name() == "secret" {
				found = append(found, secret{slices.Clone(path), a.Contents(), s.names.position(v.Pos())})
			}
		}
	}
	walk = func(v cue.Value, path []string) {
		if it, err := v.Fields(cue.Optional(true)); err == nil {
			for it.Next() {
				at := append(path, labelOf(it.Selector()))
				note(it.Value(), at)
				if it.FieldType() == cue.StringLabel { // what is below an absent field is absent
					walk(it.Value(), at)
				}
			}
		} else if list, err := v.List(); err == nil {
			for i := 0; list.Next(); i++ {
				walk(list.Value(), append(path, strconv.Itoa(i)))
			}
		}
	}
	walk(v, nil)
	return found
}

// withoutSupplied leaves out what is incomplete only because a secret is absent
// from the document: the secret itself, and what is computed from it.
func (s *schema) withoutSupplied(issues []issue, v cue.Value, secrets []secret) []issue {
	if !slices.ContainsFunc(issues, func(is issue) bool { return is.Incomplete }) {
		return issues
	}
	supplied, still := map[string]bool{}, map[string]bool{}
	for _, x := range secrets {
		supplied[key(x.Path)] = true
		var at []cue.Selector
		for _, name := range x.Path {
			at = append(at, cue.Str(name))
		}
		if len(at) == 0 {
			continue
		}
		field := v.LookupPath(cue.MakePath(at...))
		if !field.Exists() {
			field = v.LookupPath(cue.MakePath(append(slices.Clone(at[:len(at)-1]), at[len(at)-1].Required())...))
		}
		if field.Exists() && field.IncompleteKind() == cue.StringKind && !field.IsConcrete() {
			v = v.FillPath(cue.MakePath(at...), "supplied")
		}
	}
	for _, is := range s.findings(v) {
		if is.Incomplete {
			still[key(is.Path)] = true
		}
	}
	return slices.DeleteFunc(issues, func(is issue) bool {
		return is.Incomplete && (supplied[key(is.Path)] || !still[key(is.Path)])
	})
}
