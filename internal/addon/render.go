// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/templates"
)

// Tokens answers what was made for an environment, by "addon/name".
type Tokens interface {
	Secret(id string) (secret.Value, bool)
	// Public is the half that anyone may see; empty when the token has none.
	Public(id string) (string, bool)
}

// Input is what a render depends on, beside the folder: nothing else.
type Input struct {
	Addon       *Addon
	Values      map[string]any // as Merge gave them
	Environment string
	Site        Site
	Images      map[string]string // the environment's mirrors, see Mirror
	Tokens      Tokens
	Places      bool                     // keep what Object.Place needs: for checks, not for thousands of objects
	Notice      func(where, what string) // is told what a reader should know of a render that works; may be nil
}

// Render gives the objects of an add-on in the order in which they are to be
// applied, labelled, in their namespace, each once. The same input gives the
// same objects. Errors carry file and line of the template and never a secret;
// those of several manifests are joined. With Places, the objects of the manifests
// that are in order come beside the error.
func Render(in Input) ([]Object, error) {
	r := &renderer{Input: in}
	if err := r.parse(); err != nil {
		return nil, r.scrub(err)
	}
	var objects []Object
	var errs []error
	for _, file := range r.manifests {
		found, err := r.renderFile(file)
		if err != nil {
			errs = append(errs, r.scrub(err))
		}
		objects = append(objects, found...)
	}
	brought, err := r.bring()
	if err != nil {
		errs = append(errs, r.scrub(err))
	}
	objects = append(objects, brought...)
	if len(errs) > 0 && !in.Places {
		return nil, errors.Join(errs...)
	}
	if err := r.finish(&objects); err != nil {
		return nil, errors.Join(append(errs, r.scrub(err))...)
	}
	return objects, errors.Join(errs...)
}

type renderer struct {
	Input
	templates *template.Template
	manifests []string // paths inside the folder, sorted
	sources   map[string]string
	revealed  []secret.Value // tokens that templates were given
	mapped    []string       // images that templates were given: already as the environment maps them
	depth     int            // of includes
}

// data is what templates see.
type data struct {
	Values      map[string]any
	Environment environmentData
	Addon       struct{ Name, Version string }
	Namespace   string
}

type environmentData struct {
	Name string
	Site
}

func (a *Addon) data(environment string, values map[string]any) data {
	copied, _ := normalise(values).(map[string]any) // templates can change maps: each gets its own
	d := data{Values: copied, Namespace: a.Namespace}
	d.Environment.Name = environment
	d.Addon.Name, d.Addon.Version = a.Name, a.Version
	return d
}

func (r *renderer) data() data {
	d := r.Addon.data(r.Environment, r.Values)
	d.Environment.Site = r.Site
	return d
}

// parse reads partials and manifests. A file whose name starts with _ only
// defines templates.
func (r *renderer) parse() error {
	r.sources = make(map[string]string)
	r.templates = template.New("").Option("missingkey=error").Funcs(pureFuncs()).Funcs(r.funcs())
	if err := r.parseFolder(templates.Partials, "partials", "templates/partials"); err != nil {
		return err
	}
	if err := r.parseFolder(r.Addon.files, manifestsDir, r.Addon.Dir+"/"+manifestsDir); err != nil || r.Addon.Upstream.Values == "" {
		return err
	}
	name := path.Clean(r.Addon.Upstream.Values)
	text, err := fs.ReadFile(r.Addon.files, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.Addon.Dir+"/"+name, err)
	}
	return r.parseFile(r.Addon.Dir+"/"+name, string(text))
}

func (r *renderer) parseFile(shown, text string) error {
	if _, err := r.templates.New(shown).Parse(text); err != nil {
		return templateError(err)
	}
	r.sources[shown] = text
	return nil
}

func (r *renderer) parseFolder(files fs.FS, root, display string) error {
	err := fs.WalkDir(files, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		shown := display + strings.TrimPrefix(name, root)
		partial := strings.HasPrefix(d.Name(), "_") || root != manifestsDir
		if ext := path.Ext(name); !partial && ext != ".yaml" && ext != ".yml" {
			return fmt.Errorf("%s: manifests are .yaml files, and templates to include start with _", shown)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("reading %s: %w", shown, err)
		}
		if err := r.parseFile(shown, string(text)); err != nil {
			return err
		}
		if !partial {
			r.manifests = append(r.manifests, shown)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an add-on can consist of hooks alone
	}
	return err
}

func (r *renderer) renderFile(name string) ([]Object, error) {
	out, err := r.execute(name)
	if err != nil {
		return nil, err
	}
	return parseDocuments(out, r.Places)
}

func (r *renderer) execute(name string) (*tracker, error) {
	out := newTracker(name, r.templates, r.sources)
	err := r.templates.ExecuteTemplate(out, name, r.data())
	switch {
	case errors.Is(err, errNoValue):
		file, line := out.here()
		return nil, fault(file, line, "%v", err)
	case errors.Is(err, errTooLong):
		return nil, fault(name, 0, "%v", err)
	case err != nil:
		explained := templateError(err)
		if !strings.HasPrefix(explained.Error(), name+":") { // it is in a template that this one calls
			explained = fault(name, out.now.line, "%v", explained)
		}
		return nil, hint.With(explained, "%s", missingHint(err, r.Values))
	}
	return out, nil
}
