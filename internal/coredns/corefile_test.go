// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"errors"
	"strings"
	"testing"
)

// kubeadms is a Corefile as kubeadm writes it.
const kubeadms = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

func dns() *DNS {
	return New(Config{
		Step: "consul/dns", Environment: "dev", Domain: "consul", Object: "ConfigMap kube-system/coredns",
		Service: "Service consul/consul-dns", Probe: "consul.service.consul", Wanted: true, Hint: "set dns.enabled to false",
	})
}

// set and unset are what the step does to a text.
func set(text, block string) (string, error) {
	c, err := cut(text, "consul")
	if err == nil {
		c, err = c.with(block, "consul")
	}
	return c.String(), err
}

// A block goes in, changes and goes out without a trace, whatever Corefiles are
// like elsewhere: with snippets, imports of files that are not here, and no
// newline at the end.
func TestBlockComesAndGoes(t *testing.T) {
	for name, text := range map[string]string{
		"kubeadm":    kubeadms,
		"no newline": strings.TrimSuffix(kubeadms, "\n"),
		"imports":    "import custom/*.override\n" + kubeadms + "import custom/*.server\n",
		"snippet":    "(log) {\n  log\n}\n" + kubeadms + "example.org, example.net:5353 {\n  import log\n}\n",
		"below":      kubeadms + "service.consul:53 {\n  forward . 10.1.1.1\n}\nconsul:5353 {\n whoami\n}\ntls://consul {\n}\n",
		"comments":   "# consul:53 {\n" + kubeadms + "# clusterup: end\n",
		"CRLF":       strings.ReplaceAll(kubeadms, "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			made, err := set(text, dns().block("10.96.0.20"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(made, "forward . 10.96.0.20\n") || !strings.HasSuffix(made, text) {
				t.Errorf("with the block:\n%s", made)
			}
			moved, err := set(made, dns().block("fd00::20"))
			if err != nil || strings.Contains(moved, "10.96.0.20") || !strings.HasSuffix(moved, text) {
				t.Errorf("with another one: %v\n%s", err, moved)
			}
			if gone, err := set(moved, ""); err != nil || gone != text {
				t.Errorf("without it: %v\n%s", err, gone)
			}
		})
	}
}

// What somebody else serves under the domain, and what has no place for another
// block, is refused.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		taken bool
		says  string
	}{
		"theirs":           {kubeadms + "consul {\n  forward . 10.1.1.1\n}\n", true, `"consul"`},
		"theirs in full":   {kubeadms + "a.org, dns://Consul.:53 {\n}\n", true, `"dns://Consul.:53"`},
		"ours, unmarked":   {strings.Join(strings.Split(dns().block("10.1.1.1"), "\n")[1:], "\n") + kubeadms, true, `"consul:53"`},
		"no braces":        {".:53\nforward . 10.1.1.1\n", false, "no braces"},
		"no end":           {".:53 {\n errors\n", false, "missing"},
		"a brace too many": {kubeadms + "}\n", false, "too many"},
		"a mark of order":  {"\ufeff" + kubeadms, false, "cannot be added"},
		"no last mark":     {strings.TrimSuffix(dns().block("10.1.1.1"), lastMark+"\n") + kubeadms, false, "damaged"},
		"two":              {dns().block("10.1.1.1") + dns().block("10.1.1.2") + kubeadms, false, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := set(c.text, dns().block("10.96.0.20"))
			var taken *TakenError
			if err == nil || errors.As(err, &taken) != c.taken || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}
