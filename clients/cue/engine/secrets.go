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
