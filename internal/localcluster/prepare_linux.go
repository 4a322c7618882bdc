// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// prepareNode fills a node's folder with all that the node starts from. It is
// also right for a node that was there before: its data stays, its
// configuration is written anew.
func prepareNode(ctx context.Context, c Config, f facts, index int, ca authority, unpacked string) error {
	d := c.layout().node(index)
	for _, dir := range []string{
		d.root(), d.vars(), d.path("etc", "cni", "net.d"), d.path("etc", "kubernetes", "manifests"),
		d.path("var", "lib"), d.path("var", "log"), d.path("var", "tmp"), d.path("var", "local-path"),
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", d.path("var", "run")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := placeImages(ctx, unpacked, d.path("var", "lib", "containerd")); err != nil {
		return err
	}
	if err := configureNode(d, f); err != nil {
		return err
	}
	if err := identifyNode(d, f, ca); err != nil {
		return err
	}
	return writeJSON(d.spec(), nodeSpec{
		Environment: c.Environment, Root: c.StateRoot, Index: index, Subnet: c.Subnet,
	}, 0o600)
}

func configureNode(d nodeDir, f facts) error {
	for template, path := range map[string]string{
		"hosts":           "etc/hosts",
		"containerd.toml": "etc/containerd/config.toml",
		"cni.conflist":    "etc/cni/net.d/10-clusterup.conflist",
		"kubelet.yaml":    "var/lib/kubelet/config.yaml",
	} {
		data, err := render(template, f)
		if err != nil {
			return err
		}
		if err := writeFile(d.path(path), data, 0o644); err != nil {
			return err
		}
	}
	nameservers, err := outsideNameservers("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		"etc/hostname":      f.Name + "\n",
		"etc/resolv.conf":   nameservers,
		"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
	} {
		if err := writeFile(d.path(path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if exists(d.path("etc", "machine-id")) {
		return nil
	}
	return writeFile(d.path("etc", "machine-id"), []byte(randomHex(16)+"\n"), 0o444)
}

// outsideNameservers are the machine's nameservers but those on its own
// loopback, which a node can't reach and which would send CoreDNS in circles.
// There may be none: then names outside the cluster are not found.
func outsideNameservers(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		field := strings.Fields(line)
		if len(field) < 2 || field[0] != "nameserver" {
			continue
		}
		if ip, err := netip.ParseAddr(field[1]); err == nil && !ip.IsLoopback() {
			fmt.Fprintf(&b, "nameserver %s\n", ip)
		}
	}
	return b.String(), nil
}

// identifyNode gives the kubelet its client certificate and, on node 1, puts the
// CA where kubeadm looks for it.
func identifyNode(d nodeDir, f facts, ca authority) error {
	if err := writeFile(d.path("etc", "kubernetes", "pki", "ca.crt"), ca.certPEM, 0o644); err != nil {
		return err
	}
	path := d.path("etc", "kubernetes", "kubelet.conf")
	if exists(path) {
		return nil
	}
	user := "system:node:" + f.Name
	cert, key, err := ca.client(pkix.Name{CommonName: user, Organization: []string{"system:nodes"}})
	if err != nil {
		return fmt.Errorf("issue the identity of %s: %w", f.Name, err)
	}
	config, err := renderKubeconfig(f.Environment, f.Endpoint, user, ca.certPEM, cert, key)
	if err != nil {
		return err
	}
	return writeFile(path, config, 0o600)
}

// cniPlugins is the folder of the CNI plugins: Debian's, or the usual one.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if exists(filepath.Join(dir, "ptp")) && exists(filepath.Join(dir, "host-local")) && exists(filepath.Join(dir, "portmap")) {
			return dir
		}
	}
	return ""
}
