// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// host reads what images take from this machine. The first failure sticks, so
// that a list of files can be written without a check at each; err says it.
type host struct{ err error }

func (h *host) fail(err error) {
	if h.err == nil {
		h.err = withHint(err, "hack/packages.sh installs the Debian packages that images are made with")
	}
}

// copyOf is a file of this machine at a path of the image.
func (h *host) copyOf(from, to string, mode int64) file {
	sum, err := hashFile(from)
	if err != nil {
		h.fail(fmt.Errorf("read what images are made with: %w", err))
	}
	return file{path: to, mode: mode, from: from, id: sum}
}

func (h *host) find(program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		h.fail(fmt.Errorf("find what images are made with: %w", err))
	}
	return path
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// programs are programs with the libraries and the loader that they link, all
// at the paths where the loader looks for them.
func (h *host) programs(ctx context.Context, names ...string) []file {
	var files []file
	for _, name := range names {
		path := h.find(name)
		if path == "" {
			return nil
		}
		files = append(files, h.copyOf(path, "/usr/sbin/"+name, 0o755))
		out, err := exec.CommandContext(ctx, "ldd", path).Output()
		if err != nil {
			h.fail(fmt.Errorf("list the libraries of %s: %w", path, err))
		}
		for _, m := range library.FindAllStringSubmatch(string(out), -1) {
			if !slices.ContainsFunc(files, func(f file) bool { return f.path == m[1] }) {
				files = append(files, h.copyOf(m[1], m[1], 0o755))
			}
		}
	}
	return files
}

// busybox is a static shell with the applets it was built with.
func (h *host) busybox(ctx context.Context) []file {
	path := h.find("busybox")
	if path == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		h.fail(fmt.Errorf("list the applets of busybox: %w", err))
	}
	files := []file{h.copyOf(path, "/bin/busybox", 0o755)}
	for _, applet := range strings.Fields(string(out)) {
		if applet != "busybox" {
			files = append(files, file{path: filepath.Join("/bin", applet), link: "busybox"})
		}
	}
	return files
}

// certificates are the authorities that this machine trusts.
func (h *host) certificates() []file {
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	return []file{h.copyOf(bundle, bundle, 0o644)}
}

// users are the account files every image has, and a /tmp for all of them.
func users(more ...string) []file {
	passwd := append([]string{
		"root:x:0:0:root:/root:/bin/sh",
		"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin",
	}, more...)
	var group []string
	for _, line := range passwd {
		f := strings.Split(line, ":")
		group = append(group, strings.Join([]string{f[0], "x", f[3], ""}, ":"))
	}
	return []file{
		{path: "/etc/passwd", mode: 0o644, data: strings.Join(passwd, "\n") + "\n"},
		{path: "/etc/group", mode: 0o644, data: strings.Join(group, "\n") + "\n"},
		{path: "/tmp", mode: 0o1777, dir: true},
	}
}

// account has the user, the ids and the folders of the published image of the
// same name, so that one manifest runs with either.
func account(name string, folders ...string) layer {
	files := users(name + ":x:100:1000:" + name + ":/home/" + name + ":/sbin/nologin")
	home := func(path string) file { return file{path: path, mode: 0o755, uid: 100, gid: 1000, dir: true} }
	files = append(files, home("/home/"+name), home("/"+name))
	for _, f := range folders {
		files = append(files, home("/"+name+"/"+f))
	}
	return layer{name + "-account", files}
}
