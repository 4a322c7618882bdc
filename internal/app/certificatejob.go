// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/renewal"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/vault"
)

// certificateSettings is the file that the add-on ingress-certificate gives its pod.
type certificateSettings struct {
	Names  []string         `json:"names"`
	Secret secretRef        `json:"secret"`
	Vault  certificateVault `json:"vault"`
	Listen string           `json:"listen"` // where /ready is
}

type secretRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type certificateVault struct {
	Address string `json:"address"` // host:port
	CA      string `json:"ca"`      // file
	Token   string `json:"token"`   // file: of the pod's ServiceAccount, for Vault
	Login   string `json:"login"`   // role of Kubernetes auth
	Mount   string `json:"mount"`   // of the engine
	Role    string `json:"role"`    // of the engine
}

// renewer is what owns the fields of the Secret that the pod writes.
const renewer = "clusterup-certificate"

// CertificateJob is what runs in the cluster for ever: it keeps the certificate in a
// Secret, with one that Vault issues, and tells say what it does.
func CertificateJob(ctx context.Context, settings string, say func(string)) error {
	j, err := readSettings[certificateSettings](settings)
	if err != nil {
		return err
	}
	if len(j.Names) == 0 {
		return fmt.Errorf("read %s: the certificate has no name", settings)
	}
	visitor, err := j.Vault.visitor()
	if err != nil {
		return err
	}
	cluster, err := kube.Inside(renewer)
	if err != nil {
		return err
	}
	defer cluster.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", j.Listen)
	if err != nil {
		return err
	}
	keeper := &renewal.Keeper{Names: j.Names, Shelf: shelfOf(cluster, j.Secret), Issuer: visitor}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { defer cancel(); served <- keeper.Serve(ctx, listener) }()
	err = keeper.Run(ctx, say)
	cancel()
	return errors.Join(err, <-served)
}

func (c certificateVault) visitor() (vault.Visitor, error) {
	ca, err := os.ReadFile(c.CA)
	return vault.Visitor{
		Dial: func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", c.Address) },
		CA:   ca,
		Token: func() (secret.Value, error) {
			data, err := os.ReadFile(c.Token)
			return secret.NewValue(bytes.TrimSpace(data)), err
		},
		Login: c.Login, Mount: c.Mount, Role: c.Role,
	}, err
}
