// SPDX-License-Identifier: Apache-2.0

package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// postOffice is an SMTP server that keeps what it is given.
type postOffice struct {
	mu      sync.Mutex
	letters []string
	to      []string
	refuse  bool // every recipient
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &counter{office: p}, nil }

type counter struct {
	office *postOffice
	login  bool
	to     []string
}

func (*counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "clusterup" || password != "canary-password" {
			return errors.New("who are you?")
		}
		c.login = true
		return nil
	}), nil
}

func (c *counter) Mail(string, *smtp.MailOptions) error {
	if !c.login {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	if c.office.refuse {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *counter) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.letters, c.office.to = append(c.office.letters, string(text)), append(c.office.to, c.to...)
	return err
}

func (*counter) Reset()        {}
func (*counter) Logout() error { return nil }

// open runs the server on loopback. It speaks STARTTLS, or TLS from the beginning.
func (p *postOffice) open(t *testing.T, implicit bool) *Mail {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: web.TLS.Certificates}
	server := smtp.NewServer(p)
	server.Domain, server.TLSConfig = "example.com", config
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("TEST_SMTP_USER", "clusterup")
	t.Setenv("TEST_SMTP_PASSWORD", "canary-password")
	m := &Mail{
		Environment: "prod", Host: "127.0.0.1", Port: port, From: "clusterup@example.com", Encryption: STARTTLS,
		UsernameEnv: "TEST_SMTP_USER", PasswordEnv: "TEST_SMTP_PASSWORD",
		Addresses: map[string]string{"alice": "Alice <alice@example.com>"}, RootCAs: roots,
	}
	if implicit {
		m.Encryption = TLS
	}
	return m
}

// sealed is any bytes: lines that end in every way, and some that end a message.
var sealed = []byte("age-encryption.org/v1\n-> X25519 abc\n.\n..\r\n\x00\xff\xfe tail")

// TestMail proves, through a real SMTP server, that a holder gets one message with
// their files, bit for bit, over a connection that is verified and encrypted.
func TestMail(t *testing.T) {
	for name, implicit := range map[string]bool{"starttls": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			office := &postOffice{}
			m := office.open(t, implicit)
			files := []custody.File{{Name: "n1/alice-1.age", Sealed: sealed}, {Name: "n1/alice-2.age", Sealed: []byte("age-encryption.org/v1\ntwo")}}
			if err := m.Deliver(t.Context(), "alice", files); err != nil {
				t.Fatal(err)
			}
			if len(office.letters) != 1 || len(office.to) != 1 || office.to[0] != "alice@example.com" {
				t.Fatalf("%d letters to %v", len(office.letters), office.to)
			}
			text, attached := parts(t, office.letters[0])
			if !strings.Contains(text, "verify-share prod") || !strings.Contains(text, "init n1") || strings.Contains(text, "%!") {
				t.Errorf("the text is %q", text)
			}
			if !bytes.Equal(attached["n1-alice-1.age"], sealed) || len(attached) != 2 {
				t.Errorf("attached: %q", attached)
			}
		})
	}
}

// parts takes a message apart.
func parts(t *testing.T, letter string) (text string, attached map[string][]byte) {
	t.Helper()
	message, err := mail.ReadMessage(strings.NewReader(letter))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	reader, attached := multipart.NewReader(message.Body, params["boundary"]), map[string][]byte{}
	for {
		part, err := reader.NextPart() // quoted-printable is decoded by it
		if errors.Is(err, io.EOF) {
			return text, attached
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(decoded(part))
		if err != nil {
			t.Fatal(err)
		}
		if name := part.FileName(); name != "" {
			attached[name] = data
		} else {
			text += string(data)
		}
	}
}

// decoded undoes the base64 of an attachment.
func decoded(part *multipart.Part) io.Reader {
	if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
		return base64.NewDecoder(base64.StdEncoding, part)
	}
	return part
}

// TestMailRefused proves that whatever is wrong is one line that holds no password,
// that an unknown server is not spoken to, and that nothing goes out in clear.
func TestMailRefused(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, m *Mail, o *postOffice){
		"unknown authority": func(_ *testing.T, m *Mail, _ *postOffice) { m.RootCAs = x509.NewCertPool() },
		"another name":      func(_ *testing.T, m *Mail, _ *postOffice) { m.Host = "localhost" },
		"wrong password":    func(t *testing.T, _ *Mail, _ *postOffice) { t.Helper(); t.Setenv("TEST_SMTP_PASSWORD", "canary-wrong") },
		"no password":       func(t *testing.T, _ *Mail, _ *postOffice) { t.Helper(); t.Setenv("TEST_SMTP_PASSWORD", "") },
		"no such mailbox":   func(_ *testing.T, _ *Mail, o *postOffice) { o.refuse = true },
		"no server":         func(_ *testing.T, m *Mail, _ *postOffice) { m.Port = 1 },
		"no encryption":     func(_ *testing.T, m *Mail, _ *postOffice) { m.Encryption = None },
		"bad address":       func(_ *testing.T, m *Mail, _ *postOffice) { m.Addresses["alice"] = "alice" },
	} {
		t.Run(name, func(t *testing.T) {
			office := &postOffice{}
			m := office.open(t, false)
			spoil(t, m, office)
			err := m.Deliver(t.Context(), "alice", []custody.File{{Name: "n1/alice-1.age", Sealed: sealed}})
			if err == nil || strings.ContainsAny(err.Error(), "\r\n") || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v (hint %q)", err, hint.Of(err))
			}
			if len(office.letters) > 0 {
				t.Error("something was sent")
			}
		})
	}
	m := (&postOffice{}).open(t, false)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Deliver(ended, "alice", []custody.File{{Name: "n1/alice-1.age", Sealed: sealed}}); err == nil {
		t.Error("a run that has ended sends")
	}
}
