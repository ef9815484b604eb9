package main

import (
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
)

const (
	maxRounds = 4   // to find hidden errors
	maxKnown  = 100 // names
)

// check unifies the document with the schema and returns every error. The
// engine itself reports only some of them at a time.
func (s *schema) check(doc *document, opaque [][]string) (cue.Value, []issue) {
	restore := doc.opaque(opaque)
	value := s.unify(doc)
	issues := s.findings(value)
	if len(opaque) > 0 && slices.ContainsFunc(issues, func(is issue) bool { return is.Incomplete }) {
		// What is incomplete only because a string is unknown is no error: see
		// what remains incomplete when there is some string.
		restore()
		still := map[string]bool{}
		for _, is := range s.findings(s.unify(doc)) {
			if is.Incomplete {
				still[key(is.Path)] = true
			}
		}
		issues = slices.DeleteFunc(issues, func(is issue) bool { return is.Incomplete && !still[key(is.Path)] })
		doc.opaque(opaque)
	}
	issues = s.uncover(doc, issues)
	for i := range issues {
		if issues[i].Format == notAllowed && i < maxIssues {
			issues[i].Known = s.known(value, issues[i].Path)
		}
	}
	slices.SortStableFunc(issues, func(a, b issue) int { return slices.Compare(a.Path, b.Path) })
	return value, issues
}

// uncover adds the errors that hide behind others: the engine does not look for
// unknown fields in a struct that has another error, and stops at the first
// child error where a validator such as struct.MaxFields applies. So it looks
// again, a few times, with the offending values taken out of the document.
func (s *schema) uncover(doc *document, issues []issue) []issue {
	known, masked := map[string]bool{}, map[string]bool{}
	for _, is := range issues {
		known[is.id()] = true
	}
	for range maxRounds {
		before := len(masked)
		for _, is := range issues {
			p := key(is.Path)
			if !is.Incomplete && len(is.Path) > 0 && is.Format != notAllowed && !masked[p] && doc.mask(is.Path) {
				masked[p] = true
			}
		}
		if len(masked) == before {
			break
		}
		for _, is := range s.names.issues("validate", s.depth, s.unify(doc).Validate()) {
			if !known[is.id()] {
				known[is.id()] = true
				issues = append(issues, is)
			}
		}
	}
	return issues
}

// findings asks each value on its own after a failure, because Validate leaves
// out what is incomplete (a required field absent, a value not concrete) as
// soon as there is a conflict anywhere.
func (s *schema) findings(v cue.Value) (all []issue) {
	if v.Validate(cue.Concrete(true)) == nil {
		return nil
	}
	seen := map[string]bool{}
	add := func(v cue.Value, err error) {
		for _, is := range s.names.issues("validate", s.depth, err) {
			if !seen[is.id()] {
				seen[is.id()] = true
				is.Incomplete = v.Validate() == nil
				if p := v.Pos(); len(is.Positions) == 0 && p.IsValid() {
					is.Positions = append(is.Positions, s.names.position(p))
				}
				all = append(all, is)
			}
		}
	}
	missing := func(v cue.Value) {
		is := issue{Stage: "validate", Path: []string{}, Message: required, Format: required, Args: []string{}, Positions: []position{}}
		for i, sel := range v.Path().Selectors() {
			if i >= s.depth {
				is.Path = append(is.Path, labelOf(sel))
			}
		}
		if !seen[is.id()] {
			seen[is.id()] = true
			is.Incomplete, is.Expected = true, clip(fmt.Sprint(v), maxText)
			if p := v.Pos(); p.IsValid() {
				is.Positions = append(is.Positions, s.names.position(p))
			}
			all = append(all, is)
		}
	}
	var walk func(v cue.Value)
	walk = func(v cue.Value) {
		leaf := true
		if it, err := v.Fields(cue.Optional(true)); err == nil {
			for it.Next() {
				switch it.FieldType() {
				case cue.StringLabel:
					walk(it.Value())
					leaf = false
				case cue.StringLabel | cue.RequiredConstraint:
					missing(it.Value())
				}
			}
		}
		// Not v.List(): it gives nothing of a list that has an error, and neither does v.Fields().
		for i := 0; leaf || i > 0; i++ {
			element := v.LookupPath(cue.MakePath(cue.Index(i)))
			if !element.Exists() {
				break
			}
			walk(element)
			leaf = false
		}
		if leaf {
			add(v, v.Validate(cue.Concrete(true)))
		} else {
			add(v, v.Err())
		}
	}
	walk(v)
	add(v, v.Validate(cue.Concrete(true))) // whatever the walk has missed
	return all
}

// known lists the names that the schema knows where the unknown one was found,
// for the reader to see which was meant.
func (s *schema) known(v cue.Value, path []string) (names []string) {
	for _, name := range path[:len(path)-1] {
		next := v.LookupPath(cue.MakePath(cue.Str(name)))
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && !next.Exists() {
			next = v.LookupPath(cue.MakePath(cue.Index(i)))
		}
		v = next
	}
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil
	}
	for it.Next() && len(names) < maxKnown {
		if it.Selector().LabelType() == cue.StringLabel {
			names = append(names, it.Selector().Unquoted())
		}
	}
	return names
}

// labelOf is the name of a field, or the index of an element.
func labelOf(sel cue.Selector) string {
	if sel.LabelType() == cue.StringLabel {
		return sel.Unquoted()
	}
	return sel.String()
}
