// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"clusterup.dev/clusterup/internal/secret"
)

// ensurePods gives pods their way to the store: the bridge's address, which only
// nodes and pods have a route to, and a certificate of it. There is none while
// the environment holds no subnet.
func ensurePods(c Config, s storeSettings, keys storeKeys) (PodsAccess, error) {
	c.Subnet = ""
	r, n, err := reserved(c)
	if err != nil || r.ID == "" {
		return PodsAccess{}, err
	}
	ca, err := ensurePodsCert(c.layout().files(), n.gateway())
	if err != nil {
		return PodsAccess{}, err
	}
	return PodsAccess{
		Endpoint: fmt.Sprintf("https://%s:%d", n.gateway(), s.Port), CA: ca,
		AccessKey: keys.Limited.AccessKey, SecretKey: secret.NewString(keys.Limited.SecretKey),
	}, nil
}

// ensurePodsCert reads the server's certificate, or makes one when there is none of
// that address: a store outlives the subnet of its environment. The certificate
// is its own authority, as nothing else is signed by it.
func ensurePodsCert(f storeFiles, address netip.Addr) (string, error) {
	have, err := os.ReadFile(f.podsCert())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if block, _ := pem.Decode(have); block != nil {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && cert.VerifyHostname(address.String()) == nil {
			return string(have), nil
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := certificate(pkix.Name{CommonName: "clusterup S3 store"})
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{address.AsSlice(), net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return "", err
	}
	if err := writeFile(f.podsKey(), keyPEM, 0o600); err != nil {
		return "", err
	}
	cert := encodeCert(der)
	return string(cert), writeFile(f.podsCert(), cert, 0o644)
}
