// SPDX-License-Identifier: Apache-2.0

package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
)

// Encryption is how a connection to the mail server is protected.
type Encryption string

// STARTTLS and TLS verify the server; None is for a server on this machine or a
// network that is trusted, and sends no password.
const (
	STARTTLS Encryption = "starttls"
	TLS      Encryption = "tls"
	None     Encryption = "none"
)

// Mail sends one message a holder, with their shares attached.
type Mail struct {
	Environment string // named in the message
	Host        string
	Port        int
	From        string
	Encryption  Encryption
	// UsernameEnv and PasswordEnv are the environment variables that hold the
	// credentials; both empty for a server that asks for none.
	UsernameEnv, PasswordEnv string
	Addresses                map[string]string // holder → e-mail address
	RootCAs                  *x509.CertPool    // nil: the system's
}

// mailTimeout bounds each exchange with the mail server.
const mailTimeout = 30 * time.Second

// Way is "mail".
func (*Mail) Way() string { return "mail" }

// Address is the holder's e-mail address.
func (m *Mail) Address(holder string) string { return m.Addresses[holder] }

// Deliver sends one message with all files. The server's word that it took it is
// all that can be known.
func (m *Mail) Deliver(ctx context.Context, holder string, files []custody.File) error {
	client, err := m.client()
	if err != nil {
		return err
	}
	letter, err := m.letter(holder, files)
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(ctx, letter); err != nil {
		return hint.With(fmt.Errorf("%s:%d: %s", m.Host, m.Port, oneLine(err)), "look at spec.delivery.smtp; the next run sends it again, and the shares are in the bucket meanwhile")
	}
	return nil
}

func (m *Mail) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(m.Port), mail.WithTimeout(mailTimeout),
		mail.WithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.Host, RootCAs: m.RootCAs}),
	}
	switch m.Encryption {
	case TLS:
		options = append(options, mail.WithSSL())
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case STARTTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		return nil, fmt.Errorf("unknown encryption %q", m.Encryption)
	}
	if m.UsernameEnv != "" {
		user, password := os.Getenv(m.UsernameEnv), os.Getenv(m.PasswordEnv)
		if user == "" || password == "" {
			return nil, hint.With(errors.New("the credentials for the mail server are not set"),
				"set the variables %s and %s, which spec.delivery.smtp names", m.UsernameEnv, m.PasswordEnv)
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	client, err := mail.NewClient(m.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("preparing the mail: %s", oneLine(err))
	}
	return client, nil
}

func (m *Mail) letter(holder string, files []custody.File) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := errors.Join(letter.From(m.From), letter.To(m.Addresses[holder])); err != nil {
		return nil, fmt.Errorf("preparing the mail: %s", oneLine(err))
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		name := strings.ReplaceAll(file.Name, "/", "-")
		names = append(names, name)
		err := letter.AttachReader(name, bytes.NewReader(file.Sealed), mail.WithFileContentType(mail.TypeAppOctetStream))
		if err != nil {
			return nil, fmt.Errorf("preparing the mail: %s", oneLine(err))
		}
	}
	letter.SetMessageID()
	letter.SetDate()
	letter.Subject(fmt.Sprintf("Your key shares of Vault in %s", m.Environment))
	letter.SetBodyString(mail.TypeTextPlain, fmt.Sprintf(text, holder, m.Environment, path.Dir(files[0].Name), strings.Join(names, "\n  "), m.check(names[0])))
	return letter, nil
}

// check says how a holder tries whether they can open a share.
func (m *Mail) check(name string) string {
	if strings.HasSuffix(name, ".gpg") {
		return fmt.Sprintf(".\nVault sealed them to your PGP key, and nobody has seen what is in them:\n\n  gpg -d %s > /dev/null", name)
	}
	return fmt.Sprintf(", which records that you could:\n\n  clusterup vault verify-share %s", m.Environment)
}

// text is the message. It holds nothing that is not also in the bucket in clear.
const text = `%s,

you hold key shares of Vault in the environment %s (init %s).
They are attached, sealed to your public key; nobody else can open them:

  %s

Keep these files and your private key, in different places. Please check now that
you can open your shares%s

When Vault is sealed you will be called. docs/vault.md says under "If you hold a
key share" what to do then. Never send an opened share to anybody.
`

// oneLine is what a mail server says, in one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
