// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tunables are machine-wide settings that the kubelet insists on. The node sees
// them as already set, so that the machine's own stay as they are.
func tunables() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

// fromMachine are folders of the machine that a node sees, read-only.
func fromMachine() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl", "/etc/alternatives", "/etc/ca-certificates", "/opt/cni/bin"}
}

// makeRoot builds the node's own root and moves into it: the machine's programs
// read-only, the node's /etc and /var from its folder, all else fresh.
func makeRoot(s nodeSpec) error {
	l, dir := s.layout(), s.layout().node(s.Index)
	root := dir.root()
	at := func(path string) string { return filepath.Join(root, path) }
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	m := mounter{}
	m.mount("tmpfs", root, "tmpfs", 0, "mode=0755,size=16m")
	m.mount(dir.path("etc"), at("/etc"), "", unix.MS_BIND, "")
	m.mount(dir.vars(), at("/var"), "", unix.MS_BIND, "")
	for _, path := range fromMachine() {
		m.show(path, at(path))
	}
	m.modules(at("/usr"), at("/old"))
	m.show(l.bin(), at(nodeBin))
	m.mount("proc", at("/proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	m.mount("sysfs", at("/sys"), "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	m.mount("/sys/fs/cgroup", at("/sys/fs/cgroup"), "", unix.MS_BIND|unix.MS_REC, "")
	m.mount("/dev", at("/dev"), "", unix.MS_BIND|unix.MS_REC, "")
	m.mount("tmpfs", at("/run"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755")
	m.mount("tmpfs", at("/tmp"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	m.make(at("/root"), at("/old"))
	for name, value := range tunables() {
		m.shadow(at("/proc/sys/"+name), filepath.Join(at("/run/tunables"), filepath.Base(name)), value)
	}
	if m.err != nil {
		return m.err
	}
	if err := unix.PivotRoot(root, at("/old")); err != nil {
		return fmt.Errorf("pivot to %s: %w", root, err)
	}
	if err := errors.Join(unix.Chdir("/"), unix.Unmount("/old", unix.MNT_DETACH)); err != nil {
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	// Mounts that the kubelet makes have to reach the pods that ask for them.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	return nil
}

// mounter mounts one after the other until one fails.
type mounter struct{ err error }

func (m *mounter) mount(what, at, kind string, flags uintptr, options string) {
	m.make(at)
	if m.err == nil {
		if err := unix.Mount(what, at, kind, flags, options); err != nil {
			m.err = fmt.Errorf("mount %s at %s: %w", what, at, err)
		}
	}
}

func (m *mounter) make(dirs ...string) {
	for _, dir := range dirs {
		if m.err == nil {
			m.err = os.MkdirAll(dir, 0o755)
		}
	}
}

// show makes a folder of the machine, if there is one, visible but not writable;
// a symbolic link is made again as it is.
func (m *mounter) show(path, at string) {
	info, err := os.Lstat(path)
	if m.err != nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		m.err = err
		return
	}
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := os.Readlink(path)
		if err == nil {
			err = os.Symlink(target, at)
		}
		m.err = err
		return
	}
	m.mount(path, at, "", unix.MS_BIND|unix.MS_REC, "")
	m.mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// modules gives the node a folder /usr/lib/modules, which kube-proxy mounts, on a
// machine that has none because all is built into its kernel.
func (m *mounter) modules(usr, scratch string) {
	if m.err != nil || exists("/usr/lib/modules") {
		return
	}
	m.make(filepath.Join(scratch, "lib", "modules"))
	m.mount("overlay", usr, "overlay", unix.MS_RDONLY, "lowerdir="+scratch+":/usr")
}

// shadow lays a file with the value over one of /proc/sys, if there is one.
func (m *mounter) shadow(path, file, value string) {
	if m.err != nil || !exists(path) {
		return
	}
	if m.err = writeFile(file, []byte(value+"\n"), 0o644); m.err != nil {
		return
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		m.err = fmt.Errorf("cover %s: %w", path, err)
	}
}
