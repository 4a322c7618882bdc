// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
)

// authMethod is the name and the type of the auth method at which pods log in
// with the token of their ServiceAccount.
const authMethod = "kubernetes"

// Reviewer is how Consul's servers ask Kubernetes whose token they were shown.
type Reviewer struct {
	Host   string       // of the API server as the servers reach it: "https://kubernetes.default.svc"
	CACert string       // that the API server's certificate is verified with, in PEM
	JWT    secret.Value // of a ServiceAccount that may review tokens and read ServiceAccounts
}

// The bounds that Consul sets to the life of tokens that end.
const (
	minLoginTTL = time.Minute
	maxLoginTTL = 24 * time.Hour
)

// CheckLoginTTL refuses what Consul would.
func CheckLoginTTL(ttl time.Duration) error {
	if ttl != 0 && (ttl < minLoginTTL || ttl > maxLoginTTL) {
		return fmt.Errorf("a token from a login cannot live for %s: Consul takes %s to %s, or 0 for no end", ttl, minLoginTTL, maxLoginTTL)
	}
	return nil
}

// compareMethod gives the edit that the auth method needs, or nil.
func compareMethod(live *api.ACLAuthMethod, reviewer *Reviewer, ttl time.Duration) *edit {
	if reviewer == nil {
		return nil
	}
	wanted := &api.ACLAuthMethod{
		Name: authMethod, Type: authMethod, Description: mark(owner, "pods log in with their ServiceAccount"), MaxTokenTTL: ttl,
		Config: map[string]any{"Host": reviewer.Host, "CACert": reviewer.CACert, "ServiceAccountJWT": reviewer.JWT.RevealString()},
	}
	e := &edit{change: converge.Change{Subject: "Consul auth method " + authMethod}, stage: makeTokens}
	create := call(func(acl *api.ACL, w *api.WriteOptions) error {
		_, _, err := acl.AuthMethodCreate(wanted, w)
		return err
	})
	switch {
	case live == nil:
		e.change.Action = converge.Create
		e.apply = create
		return e
	case live.Type != wanted.Type:
		e.change.Action = converge.Replace
		e.change.Fields = differ(converge.Field{Path: "type", Old: live.Type, New: wanted.Type})
		e.apply = func(ctx context.Context, s *session) error {
			if err := dropMethod(ctx, s); err != nil {
				return err
			}
			return create(ctx, s)
		}
		return e
	}
	e.change.Action = converge.Update
	e.change.Fields = methodDifferences(live, wanted)
	e.apply = call(func(acl *api.ACL, w *api.WriteOptions) error {
		_, _, err := acl.AuthMethodUpdate(wanted, w)
		return err
	})
	return e.ifAny()
}

func methodDifferences(live, wanted *api.ACLAuthMethod) []converge.Field {
	fields := differ(
		converge.Field{Path: "description", Old: live.Description, New: wanted.Description},
		converge.Field{Path: "displayName", Old: live.DisplayName},
		converge.Field{Path: "maxTokenTTL", Old: live.MaxTokenTTL.String(), New: wanted.MaxTokenTTL.String()},
		converge.Field{Path: "tokenNameFormat", Old: live.TokenNameFormat},
	)
	if live.TokenLocality != "" && live.TokenLocality != "local" {
		fields = append(fields, converge.Field{Path: "tokenLocality", Old: live.TokenLocality, New: "local"})
	}
	for _, key := range []string{"Host", "CACert"} {
		fields = append(fields, differ(converge.Field{Path: "config." + key, Old: text(live, key), New: text(wanted, key)})...)
	}
	if text(live, "ServiceAccountJWT") != text(wanted, "ServiceAccountJWT") {
		fields = append(fields, converge.Field{Path: "config.ServiceAccountJWT", Old: "(another secret)", New: "(the token in Kubernetes)"})
	}
	for key, value := range live.Config {
		if _, ok := wanted.Config[key]; !ok {
			fields = append(fields, converge.Field{Path: "config." + key, Old: fmt.Sprint(value)})
		}
	}
	return fields
}

func text(method *api.ACLAuthMethod, key string) string {
	value, _ := method.Config[key].(string)
	return value
}

// dropMethod deletes the method, and with it every token and rule of it.
func dropMethod(ctx context.Context, s *session) error {
	return gone(func(acl *api.ACL, w *api.WriteOptions) error {
		_, err := acl.AuthMethodDelete(authMethod, w)
		return err
	})(ctx, s)
}
