// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/hint"
)

// fake is a cluster with one Corefile.
type fake struct {
	text     string
	absent   bool
	address  string
	version  int
	written  time.Time
	meddle   func() // before a write, once
	servers  map[string]string
	outcomes error
}

func (f *fake) Address(context.Context) (string, error) { return f.address, f.outcomes }

func (f *fake) Corefile(context.Context) (File, error) {
	switch {
	case f.outcomes != nil:
		return File{}, f.outcomes
	case f.absent:
		return File{}, fs.ErrNotExist
	}
	return File{Text: f.text, Version: fmt.Sprint(f.version), Written: f.written}, nil
}

func (f *fake) Replace(ctx context.Context, was File, text string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if do := f.meddle; do != nil {
		f.meddle = nil
		do()
	}
	if was.Version != fmt.Sprint(f.version) {
		return converge.ErrStale
	}
	f.text, f.version, f.written = text, f.version+1, time.Now()
	return nil
}

func (f *fake) Servers(context.Context) ([]string, error) {
	names := []string{}
	for name := range f.servers {
		names = append(names, name)
	}
	return names, nil
}

func (f *fake) Dial(ctx context.Context, pod string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", f.servers[pod])
}

func (f *fake) dns(change ...func(*Config)) *DNS {
	d := dns()
	d.Cluster = f
	for _, do := range change {
		do(&d.Config)
	}
	return d
}

func unwanted(c *Config) { c.Wanted = false }

func TestStep(t *testing.T) {
	f := &fake{text: kubeadms, address: "10.96.0.20"}
	convergetest.Run(t, func() converge.Step { return f.dns().Step() })
	if f.text != kubeadms {
		t.Errorf("destroyed:\n%s", f.text)
	}
	f = &fake{text: kubeadms, address: "10.96.0.20"}
	convergetest.Interrupted(t, func() converge.Step { return f.dns().Step() }, func(cancel context.CancelFunc) { f.meddle = cancel })
}

// What others did to the block is named and put right; what they do elsewhere
// in the file stays, even between plan and apply.
func TestDrift(t *testing.T) {
	right := dns().block("10.96.0.20") + kubeadms
	f := &fake{text: strings.Replace(right, "cache 5", "cache 300", 1), address: "10.96.0.20"}
	mend := func() converge.Plan {
		t.Helper()
		plan, err := f.dns().Step().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.dns().Step().Apply(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		return plan
	}
	f.meddle = func() { f.text, f.version = strings.Replace(f.text, "ttl 30", "ttl 10", 1), f.version+1 }
	want := []converge.Change{{
		Subject: "ConfigMap kube-system/coredns", Action: converge.Update, Note: "names of consul go to Service consul/consul-dns",
		Fields: []converge.Field{{
			Path: "data.Corefile, block consul", Old: strings.Replace(body(dns().block("10.96.0.20")), "cache 5", "cache 300", 1), New: body(dns().block("10.96.0.20")),
		}},
	}}
	if diff := cmp.Diff(want, mend().Changes); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if f.text != strings.Replace(right, "ttl 30", "ttl 10", 1) {
		t.Errorf("mended:\n%s", f.text)
	}
	f.text = kubeadms // taken out
	if plan := mend(); plan.Changes[0].Fields[0].Old != "" || f.text != right {
		t.Errorf("put back: %+v\n%s", plan, f.text)
	}
	f.address = "10.96.0.99" // the Service was made anew
	if plan := mend(); !strings.Contains(plan.Changes[0].Fields[0].New, "10.96.0.99") || !strings.Contains(f.text, "forward . 10.96.0.99") {
		t.Errorf("another address: %+v\n%s", plan, f.text)
	}
	f.text = strings.Replace(f.text, "do not edit", "edit me", 1)
	if plan := mend(); !strings.Contains(plan.Changes[0].Fields[0].Old, "edit me") || strings.Contains(f.text, "edit me") {
		t.Errorf("the mark: %+v\n%s", plan, f.text)
	}
}

// A plan is not carried out on a block that somebody has changed since.
func TestStale(t *testing.T) {
	f := &fake{text: kubeadms, address: "10.96.0.20"}
	one := f.dns().Step()
	plan, err := one.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.meddle = func() { f.text, f.version = dns().block("10.96.0.1")+kubeadms, f.version+1 }
	if err := one.Apply(t.Context(), plan); !errors.Is(err, converge.ErrStale) {
		t.Errorf("%v", err)
	}
}

// Switched off, the block goes, and nothing is asked of a cluster without CoreDNS.
func TestSwitchedOff(t *testing.T) {
	f := &fake{text: dns().block("10.96.0.20") + kubeadms}
	one := f.dns(unwanted).Step()
	plan, err := one.Plan(t.Context())
	if err != nil || len(plan.Changes) != 1 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if err := one.Apply(t.Context(), plan); err != nil || f.text != kubeadms {
		t.Errorf("%v\n%s", err, f.text)
	}
	f.absent = true
	if plan, err := one.Plan(t.Context()); err != nil || !plan.Empty() {
		t.Errorf("without CoreDNS: %+v, %v", plan, err)
	}
}

// What cannot be done says why and what to do.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		f          *fake
		says, hint string
	}{
		"no CoreDNS":          {&fake{absent: true}, "is not there or has no Corefile", "dns.enabled"},
		"theirs":              {&fake{text: kubeadms + "consul {\n}\n", address: "10.96.0.20"}, "did not write", "dns.enabled"},
		"another environment": {&fake{text: strings.Replace(dns().block("10.96.0.1"), "dev", "stage", 1) + kubeadms}, `environment "stage"`, "cannot both"},
		"damaged":             {&fake{text: dns().block("10.96.0.1")[:40] + "\n" + kubeadms}, "damaged", "run again"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.f.dns().Step().Plan(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint.Of(err), c.hint) {
				t.Errorf("%v (%s)", err, hint.Of(err))
			}
		})
	}
	soon := &fake{text: kubeadms} // the Service is not applied yet
	if _, err := soon.dns().Step().Plan(t.Context()); !errors.Is(err, converge.ErrNotYet) {
		t.Errorf("no Service: %v", err)
	}
	none := &fake{outcomes: converge.ErrNotYet}
	if err := none.dns().Step().Destroy(t.Context()); err != nil {
		t.Errorf("destroy without a cluster: %v", err)
	}
	others := &fake{text: strings.Replace(dns().block("10.96.0.1"), "dev", "stage", 1) + kubeadms}
	if err := others.dns().Step().Destroy(t.Context()); err != nil || others.version != 0 {
		t.Errorf("destroy beside another environment's: %v\n%s", err, others.text)
	}
}
