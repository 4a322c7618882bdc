// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"
)

// unknownToken reports whether Consul does not know the token that was shown.
func unknownToken(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden && strings.Contains(status.Body, "ACL not found")
}

// absent reports whether what was asked for does not exist. For a token Consul
// says it with 403, in words that differ from those about the caller's own.
func absent(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && (status.Code == http.StatusNotFound ||
		status.Code == http.StatusForbidden && strings.Contains(status.Body, "token does not exist"))
}

// bootstrapped reports whether err refuses a bootstrap because there was one: before, or,
// where a reset file allows another, in the very moment.
func bootstrapped(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && (strings.Contains(status.Body, "ACL bootstrap no longer allowed") ||
		strings.Contains(status.Body, "Invalid ACL bootstrap reset index"))
}

// passing are the words of answers with 500 that a moment later are different.
// Consul says with the same code that a request is wrong, and puts "rpc error
// making call" before whatever another server answered.
var passing = []string{
	"No cluster leader", "not the leader", "leadership lost", "leadership transfer", "not ready to serve consistent",
	"rpc error getting client", "nodes reported success", "failed to get conn", "raft is already shutdown", "shutting down", "not initialized yet", "connection", "EOF", "timeout", "timed out",
	// A leader of a few milliseconds has not made its own policies yet.
	"No such policy with ID: 00000000-0000-0000-0000-000000000001",
}

// answered reports whether err is a whole answer of a server. One whose words are
// missing was cut off behind its first line: Consul always says why it refuses.
func answered(err error) bool {
	var status api.StatusError
	if !errors.As(err, &status) {
		return false
	}
	return status.Body != "" || status.Code != http.StatusForbidden && status.Code != http.StatusInternalServerError
}

// transient reports whether the same call may succeed a moment later.
func transient(err error) bool {
	if !answered(err) {
		return !errors.Is(err, errOtherCA) && !errors.Is(err, errReviewer)
	}
	var status api.StatusError
	errors.As(err, &status)
	switch status.Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		for _, words := range passing {
			if strings.Contains(status.Body, words) {
				return true
			}
		}
	}
	return false
}
