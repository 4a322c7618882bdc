// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// A store with credentials of its own is reached the same way whatever AWS
// account the user's shell is set up for.
func TestOwnCredentialsStandAlone(t *testing.T) {
	s := testservers.S3(t)
	for name, value := range map[string]string{
		"AWS_PROFILE": "absent", "AWS_ACCESS_KEY_ID": "AKOTHER", "AWS_SECRET_ACCESS_KEY": "other", "AWS_SESSION_TOKEN": "other",
		"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
		"AWS_CONFIG_FILE": "/absent", "AWS_SHARED_CREDENTIALS_FILE": "/absent", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true",
	} {
		t.Setenv(name, value)
	}
	b := open(t, config(s))
	if _, err := b.PutNew(t.Context(), "a.json", []byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := store.Inspect(t.Context(), b); err != nil {
		t.Error(err)
	}
}

// A store without credentials of its own takes those of the user's shell.
func TestCredentialsOfTheEnvironment(t *testing.T) {
	s := testservers.S3(t)
	c := config(s)
	c.AccessKey, c.SecretKey = "", secret.Value{}
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/absent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/absent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey.RevealString())
	if _, err := open(t, c).PutNew(t.Context(), "a.json", []byte("x")); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := store.Open(t.Context(), c)
	if err == nil || !strings.HasSuffix(err.Error(), "there are no AWS credentials") || !strings.Contains(hint.Of(err), "AWS_PROFILE") {
		t.Errorf("without credentials: %v; hint %q", err, hint.Of(err))
	}
}
