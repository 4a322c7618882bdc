// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Identity is what makes a cluster this one and no other.
type Identity struct {
	CADigest string // SHA-256 of the API server's CA certificates; "" where the kubeconfig names none
	UID      string // of the namespace kube-system
}

// Identity reads who the cluster is.
func (c *Cluster) Identity(ctx context.Context) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	digest, err := c.caDigest()
	if err != nil {
		return Identity{}, err
	}
	system, err := c.typed.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return Identity{}, fmt.Errorf("reading who the cluster is: %w", c.unreachable(err))
	}
	return Identity{CADigest: digest, UID: string(system.UID)}, nil
}

// caDigest is over the certificates themselves, so white space and comments in the
// kubeconfig do not make another cluster of it.
func (c *Cluster) caDigest() (string, error) {
	rest := c.rest.CAData
	if len(rest) == 0 && c.rest.CAFile != "" {
		var err error
		if rest, err = os.ReadFile(c.rest.CAFile); err != nil {
			return "", fmt.Errorf("reading the CA that the kubeconfig names: %w", err)
		}
	}
	if len(rest) == 0 {
		return "", nil
	}
	sum := sha256.New()
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		sum.Write(block.Bytes)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
