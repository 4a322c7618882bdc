// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"time"

	"clusterup.dev/clusterup/internal/addon"
)

// environmentCA issues from the environment's CA; it is what the vault package asks
// for. The CA's key is opened in this process and goes nowhere else.
type environmentCA struct{ session *Session }

// Certificate is the CA's, in PEM.
func (e environmentCA) Certificate(ctx context.Context) (string, error) {
	tokens, err := e.session.tokens(ctx)
	if err != nil {
		return "", err
	}
	text, _ := tokens.Public(addon.EnvironmentCA)
	return text, nil
}

// SignIntermediate issues a CA that issues leaves only.
func (e environmentCA) SignIntermediate(ctx context.Context, request string) (string, error) {
	tokens, err := e.session.tokens(ctx)
	if err != nil {
		return "", err
	}
	return tokens.SignIntermediate(addon.EnvironmentCA, []byte(request), time.Now())
}
