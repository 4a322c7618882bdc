// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image is one image of an archive under the name it is published by.
type image struct {
	ref        string
	entrypoint []string
	cmd        []string
	user       string
	layers     []layer
}

// archive is one file that `ctr images import` takes.
type archive struct {
	name    string // images-kube, images-addons
	servers []string
	images  []image
	check   func(ctx context.Context) error // before packing
}

func (a archive) file() string { return a.name + ".tar" }

// artifact gives the archive a hash over all that is in it.
func (a archive) artifact() artifact {
	parts := []string{"2", runtime.GOOS, runtime.GOARCH} // the number is the format of archives
	for _, i := range a.images {
		parts = append(parts, i.ref, strings.Join(i.entrypoint, "\n"), strings.Join(i.cmd, "\n"), i.user)
		for _, l := range i.layers {
			parts = append(parts, l.parts()...)
		}
	}
	return artifact{a.name, digest(parts...), "packing", a.pack}
}

func (a archive) pack(ctx context.Context, dir string) error {
	if a.check != nil {
		if err := a.check(ctx); err != nil {
			return err
		}
	}
	scratch := filepath.Join(dir, "layers") // each is compressed once, however many images share it
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return fmt.Errorf("pack %s: %w", a.name, err)
	}
	defer os.RemoveAll(scratch)
	packed := map[string]v1.Layer{}
	images := map[name.Tag]v1.Image{}
	for _, i := range a.images {
		tag, err := name.NewTag(i.ref, name.StrictValidation)
		if err != nil {
			return fmt.Errorf("name image: %w", err)
		}
		var layers []v1.Layer
		for _, l := range i.layers {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("pack %s: %w", a.name, err)
			}
			if packed[l.name] == nil {
				if packed[l.name], err = l.pack(filepath.Join(scratch, l.name)); err != nil {
					return err
				}
			}
			layers = append(layers, packed[l.name])
		}
		if images[tag], err = i.assemble(layers); err != nil {
			return fmt.Errorf("assemble %s: %w", i.ref, err)
		}
	}
	if err := tarball.MultiWriteToFile(filepath.Join(dir, a.file()), images); err != nil {
		return fmt.Errorf("write %s: %w", a.file(), err)
	}
	return nil
}

// assemble names the platform, because containerd leaves out images of none.
func (i image) assemble(layers []v1.Layer) (v1.Image, error) {
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture = runtime.GOOS, runtime.GOARCH
	config.Config = v1.Config{
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Labels:     map[string]string{"org.opencontainers.image.title": i.ref}, // or two could be one image with two names
		Entrypoint: i.entrypoint,
		Cmd:        i.cmd,
		User:       i.user,
		WorkingDir: "/",
	}
	return mutate.ConfigFile(img, config)
}
