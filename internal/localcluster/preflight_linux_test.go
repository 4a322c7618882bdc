// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"golang.org/x/sys/unix"
)

// What is missing is named in one line, and the hint shows both ways out.
func TestPreflightNamesWhatIsMissing(t *testing.T) {
	c := Config{Environment: "x", StateRoot: t.TempDir(), Servers: t.TempDir()}.withDefaults()
	t.Run("programs", func(t *testing.T) {
		err := checkFound([][2]string{{"no-such-x", "x-tools"}, {"sh", "dash"}, {"no-such-y", "x-tools"}, {"no-such-z", "z"}})
		if err == nil || !strings.Contains(err.Error(), "lacks no-such-x, no-such-y, no-such-z") {
			t.Fatalf("error %v", err)
		}
		if h := hint.Of(err); !strings.Contains(h, "apt-get install x-tools z") || !strings.Contains(h, existingCluster) {
			t.Errorf("hint %q", h)
		}
	})
	t.Run("servers", func(t *testing.T) {
		err := checkServers(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "is not in "+c.Servers) || !strings.Contains(hint.Of(err), "make up") {
			t.Errorf("error %v, hint %q", err, hint.Of(err))
		}
	})
	t.Run("memory", func(t *testing.T) {
		have, err := availableMemory()
		if err != nil || have < 64<<20 {
			t.Fatalf("%d bytes available, %v", have, err)
		}
		greedy := c
		greedy.Nodes = MaxNodes
		err = checkMemory(t.Context(), greedy)
		if need := uint64(controlPlaneMemory + MaxNodes*nodeMemory); (err == nil) != (have >= need) {
			t.Errorf("%s available: %v", gib(have), err)
		}
	})
	t.Run("name", func(t *testing.T) {
		for _, name := range []string{"", "../x", "A", "-x", strings.Repeat("x", 51)} {
			if err := Preflight(t.Context(), Config{Environment: name}); err == nil {
				t.Errorf("the name %q passed", name)
			}
		}
	})
}

// What only an administrator runs is found with a PATH that lacks its folders,
// and what is run finds it, too; the PATH of this program stays as it is.
func TestSystemFoldersAreSearched(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/ldconfig"); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", "/usr/bin:/bin")
	if path, err := find("ldconfig"); err != nil || filepath.Base(path) != "ldconfig" {
		t.Errorf("found %q, %v", path, err)
	}
	out, err := output(t.Context(), "", "sh", "-c", "command -v ldconfig; echo $0")
	if err != nil || !strings.Contains(out, "sbin/ldconfig\nsh\n") {
		t.Errorf("a program finds %q, %v", out, err)
	}
	if path := os.Getenv("PATH"); path != "/usr/bin:/bin" {
		t.Errorf("PATH became %q", path)
	}
	if err := command(t.Context(), "no-such-program").Run(); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("error %v", err)
	}
}

func TestHasCapability(t *testing.T) {
	status := []byte("Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001fffeffffff\n")
	if !hasCapability(status, unix.CAP_SYS_ADMIN) || hasCapability(status, unix.CAP_SYS_RESOURCE) {
		t.Error("capabilities misread")
	}
}

// The key of the images is that of what they hold: neither a new date nor a
// second link makes nodes import them again.
func TestImagesKeyIsOfTheContent(t *testing.T) {
	dir := t.TempDir()
	write := func(name, manifest string) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := tar.NewWriter(f)
		for name, text := range map[string]string{"layer.tar.gz": strings.Repeat("x", 5000), "manifest.json": manifest} {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	key := func() string {
		t.Helper()
		k, err := imagesKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	write("images-a.tar", "[1]")
	first := key()
	write("images-a.tar", "[1]")
	if key() != first {
		t.Error("the key of the same images differs")
	}
	write("images-a.tar", "[2]")
	if key() == first {
		t.Error("other images have the same key")
	}
	write("images-a.tar", "[1]")
	write("images-b.tar", "[1]")
	if key() == first {
		t.Error("one more archive has the same key")
	}
}

// A copy is never the same file as its source; a link always is.
func TestPlaceLinksOrCopies(t *testing.T) {
	dir := t.TempDir()
	from, link, double := filepath.Join(dir, "from"), filepath.Join(dir, "link"), filepath.Join(dir, "copy")
	if err := os.WriteFile(from, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := place(from, link, 0o755, true); err != nil {
			t.Fatal(err)
		}
		if err := place(from, double, 0o755, false); err != nil {
			t.Fatal(err)
		}
	}
	source, _ := os.Stat(from)
	linked, _ := os.Stat(link)
	copied, _ := os.Stat(double)
	if !os.SameFile(source, linked) || os.SameFile(source, copied) || copied.Mode().Perm() != 0o755 {
		t.Error("a link is a copy, or a copy is a link")
	}
	if err := os.Remove(double); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(from, double); err != nil {
		t.Fatal(err)
	}
	if err := place(from, double, 0o600, false); err != nil {
		t.Fatal(err)
	}
	if copied, _ = os.Stat(double); os.SameFile(source, copied) {
		t.Error("a link that has to be a copy stayed a link")
	}
}
