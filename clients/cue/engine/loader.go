package main

import (
	"maps"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	"cuelang.org/go/mod/modfile"
)

const moduleFile = "cue.mod/module.cue"

// A loader builds package instances from files held in memory, by the rules of
// cue/load but without it: that one brings a registry client and does not
// compile for wasip1. External modules, @if and @embed are refused.
type loader struct {
	files    map[string]string // slash-separated path below the module root -> source
	names    []string          // the files that can be part of a package, sorted
	packages map[string]string // file -> package name, of those looked at
	module   string
	options  []parser.Option
	ctx      *build.Context
	loading  []string // the packages under way, to find import cycles
}

// load returns the instance of the package of src.File, or else of the only package in src.Directory.
func load(src *sources) (*build.Instance, error) {
	l := &loader{
		files:    src.Files,
		packages: map[string]string{},
		ctx:      build.NewContext(),
		options:  []parser.Option{parser.ParseComments},
	}
	if text, ok := l.files[moduleFile]; ok {
		m, err := modfile.ParseNonStrict([]byte(text), moduleFile)
		if err != nil {
			return nil, err
		}
		l.module = ast.ParseImportPath(m.Module).Path
		if m.Language != nil {
			l.options = append(l.options, parser.Version(m.Language.Version))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if name == src.File || isPackageFile(name) {
			l.names = append(l.names, name)
		}
	}
	if src.File == "" {
		return l.directory(path.Clean(src.Directory))
	}
	pkg, err := l.packageOf(src.File)
	if err != nil {
		return nil, err
	}
	if pkg == "" { // belongs to no package: stands alone
		l.names = []string{src.File}
	}
	return l.instance(path.Dir(src.File), pkg)
}

func isPackageFile(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, ".cue") && !strings.HasPrefix(name, "cue.mod/") && !strings.ContainsAny(base[:1], "._") &&
		!strings.HasSuffix(base, "_tool.cue") && !strings.HasSuffix(base, "_test.cue")
}

func (l *loader) directory(dir string) (*build.Instance, error) {
	pkg, first := "", ""
	for _, name := range l.names {
		if path.Dir(name) != dir {
			continue
		}
		p, err := l.packageOf(name)
		if err != nil {
			return nil, err
		}
		if first != "" && p != pkg {
			return nil, errors.Newf(token.NoPos, "found packages %q (%s) and %q (%s): name the file of the schema", pkg, first, p, name)
		}
		pkg, first = p, name
	}
	if first == "" {
		return nil, errors.Newf(token.NoPos, "no CUE files in %q", dir)
	}
	return l.instance(dir, pkg)
}

// packageOf reads no more of a file than its package clause: what the rest of a
// file of another package holds is of no concern.
func (l *loader) packageOf(name string) (string, error) {
	if pkg, ok := l.packages[name]; ok {
		return pkg, nil
	}
	f, err := parser.ParseFile(name, l.files[name], parser.PackageClauseOnly)
	if err != nil {
		return "", err
	}
	l.packages[name] = f.PackageName()
	return f.PackageName(), nil
}

// instance collects the files of package pkg in dir and in the directories above.
func (l *loader) instance(dir, pkg string) (*build.Instance, error) {
	id := dir + ":" + pkg
	l.loading = append(l.loading, id)
	defer func() { l.loading = l.loading[:len(l.loading)-1] }()
	inst := l.ctx.NewInstance("/"+dir, l.resolve)
	inst.PkgName = pkg
	var errs errors.Error
	for _, name := range l.names {
		at := path.Dir(name)
		if at != dir && (pkg == "" || at != "." && !strings.HasPrefix(dir, at+"/")) {
			continue
		}
		p, err := l.packageOf(name)
		if err == nil && p == pkg {
			err = l.add(inst, name)
		}
		if err != nil {
			errs = errors.Append(errs, promote(err))
		}
	}
	errs = errors.Append(errs, inst.Err)
	if errs == nil {
		errs = promote(inst.Complete())
	}
	if errs != nil {
		inst.Err = errs
		return inst, errs
	}
	return inst, nil
}

func (l *loader) add(inst *build.Instance, name string) error {
	f, err := parser.ParseFile(name, l.files[name], l.options...)
	if err != nil {
		return err
	}
	var errs errors.Error
	ast.Walk(f, func(n ast.Node) bool {
		if a, ok := n.(*ast.Attribute); ok && slices.Contains([]string{"if", "ignore", "embed", "extern"}, a.Name()) {
			errs = errors.Append(errs, errors.Newf(a.Pos(), "@%s is not supported: a schema cannot depend on anything outside its own files", a.Name()))
		}
		return true
	}, nil)
	if errs != nil {
		return errs
	}
	return inst.AddSyntax(f)
}

// resolve is asked for every import; nil leaves it to the standard library.
func (l *loader) resolve(pos token.Pos, importPath string) *build.Instance {
	ip := ast.ParseImportPath(importPath)
	dir, ours := strings.CutPrefix(ip.Path+"/", l.module+"/")
	dir = path.Clean(dir)
	first, _, _ := strings.Cut(ip.Path, "/")
	switch ours = ours && l.module != ""; {
	case !ours && !strings.Contains(first, ".") && first != "tool":
		return nil
	case !ours:
		return l.fail(pos, "package %q is not available: only the standard library and the repository's own module can be imported", importPath)
	case slices.Contains(l.loading, dir+":"+ip.Qualifier):
		return l.fail(pos, "import cycle through %q", importPath)
	}
	inst, _ := l.instance(dir, ip.Qualifier)
	if len(inst.Files) == 0 && inst.Err == nil {
		return l.fail(pos, "no package %q in this repository", importPath)
	}
	return inst
}

func (l *loader) fail(pos token.Pos, format string, args ...any) *build.Instance {
	inst := l.ctx.NewInstance("", nil)
	inst.Err = errors.Newf(pos, format, args...)
	return inst
}

func promote(err error) errors.Error {
	if err == nil {
		return nil
	}
	return errors.Promote(err, "")
}
