// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"net"
	"regexp"
)

// Kind says what a token is made of.
type Kind string

// The kinds of token. All secrets are printable text.
const (
	GossipKey Kind = "gossip-key" // 32 random bytes in base64
	ACLToken  Kind = "acl-token"  // a UUID; its public half is another one, the accessor id
	Password  Kind = "password"   // letters and digits, Length of them
	CA        Kind = "ca"         // PEM key; its public half is the certificate in PEM
	Cert      Kind = "cert"       // the same, issued by the token that CA names
	HMACKey   Kind = "hmac-key"   // 32 random bytes in base64
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{GossipKey, ACLToken, Password, CA, Cert, HMACKey} }

// Spec describes a token that has to exist. Fields that the kind does not
// speak of are ignored.
type Spec struct {
	Addon, Name string
	Kind        Kind
	CA          string   // cert: the ID of the CA that issues it, "consul/ca"
	CommonName  string   // ca, cert: default the ID
	DNS, IPs    []string // cert
	Server      bool     // cert: may serve
	Client      bool     // cert: may call
	Length      int      // password: default 32

	Intermediates bool // ca: may issue CAs that issue leaves; one made without it never can
}

// ID is "consul/gossip": what templates and errors call the token.
func (s Spec) ID() string { return s.Addon + "/" + s.Name }

func (s Spec) commonName() string {
	if s.CommonName != "" {
		return s.CommonName
	}
	return s.ID()
}

const (
	defaultPassword = 32
	leastPassword   = 16
	mostPassword    = 256
)

func (s Spec) length() int {
	if s.Length == 0 {
		return defaultPassword
	}
	return s.Length
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Validate says what is wrong with a spec, in terms of its own fields.
func (s Spec) Validate() error {
	if err := s.check(); err != nil {
		return fmt.Errorf("token %s: %w", s.ID(), err)
	}
	return nil
}

func (s Spec) check() error {
	if !namePattern.MatchString(s.Addon) || !namePattern.MatchString(s.Name) {
		return errors.New("a name has lower-case letters, digits and dashes")
	}
	switch s.Kind {
	case GossipKey, ACLToken, CA, HMACKey:
		return nil
	case Password:
		if n := s.length(); n < leastPassword || n > mostPassword {
			return fmt.Errorf("length is %d, and has to be from %d to %d", n, leastPassword, mostPassword)
		}
		return nil
	case Cert:
		return s.checkCert()
	case "":
		return errors.New("kind is missing")
	}
	return fmt.Errorf("unknown kind %q", s.Kind)
}

func (s Spec) checkCert() error {
	if s.CA == "" {
		return errors.New("a cert needs ca, the token that issues it")
	}
	if !s.Server && !s.Client {
		return errors.New("a cert needs server or client, or both")
	}
	if s.Server && len(s.DNS)+len(s.IPs) == 0 {
		return errors.New("a server's cert needs dns or ips")
	}
	for _, ip := range s.IPs {
		if net.ParseIP(ip) == nil {
			return fmt.Errorf("%q is not an IP address", ip)
		}
	}
	return nil
}
