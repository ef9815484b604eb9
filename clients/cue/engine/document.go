package main

import (
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// A document is JSON as CUE syntax, in which values can be replaced.
type document struct {
	expr  ast.Expr
	index map[string]*ast.Expr // made when first needed
}

func newDocument(expr ast.Expr) *document { return &document{expr: expr} }

// at returns where the value at path hangs, or nil if there is none.
func (d *document) at(path []string) *ast.Expr {
	if d.index == nil {
		d.index = map[string]*ast.Expr{}
		d.add("", &d.expr)
	}
	return d.index[key(path)]
}

func (d *document) add(at string, e *ast.Expr) {
	d.index[at] = e
	switch s := (*e).(type) {
	case *ast.StructLit:
		for _, decl := range s.Elts {
			if f, ok := decl.(*ast.Field); ok {
				if name, _, err := ast.LabelName(f.Label); err == nil {
					d.add(at+"\x00"+name, &f.Value)
				}
			}
		}
	case *ast.ListLit:
		for i := range s.Elts {
			d.add(at+"\x00"+strconv.Itoa(i), &s.Elts[i])
		}
	}
}

// opaque puts the type string in place of the strings at paths, so that only what
// holds for every string is enforced there; it returns how to put them back.
func (d *document) opaque(paths [][]string) (restore func()) {
	old := map[*ast.Expr]ast.Expr{}
	for _, path := range paths {
		e := d.at(path)
		if e == nil {
			continue
		}
		if lit, ok := (*e).(*ast.BasicLit); ok && lit.Kind == token.STRING {
			old[e] = lit
			*e = &ast.Ident{NamePos: lit.Pos(), Name: "__string"} // unlike "string", no key can shadow it
		}
	}
	return func() {
		for e, x := range old {
			*e = x
		}
	}
}

// mask lets the value at path be anything; it reports whether there was one.
func (d *document) mask(path []string) bool {
	e := d.at(path)
	if e == nil {
		return false
	}
	*e = ast.NewIdent("_")
	return true
}

// key joins a path so that it can index a map. Names with a U+0000 could make two
// paths equal: that confuses the messages about them and nothing else.
func key(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte(0)
		b.WriteString(name)
	}
	return b.String()
}
