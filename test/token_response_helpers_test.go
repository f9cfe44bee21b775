// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// tokenResponse is what a reader of token/<role> got.
type tokenResponse struct {
	access, id, config string
	issued, expires    time.Time
	left, ttl, period  time.Duration
	// lease is 0 where the response has none.
	lease time.Duration
	data  map[string]any
}

// life is how long the token lives in all.
func (a tokenResponse) life() time.Duration { return a.expires.Sub(a.issued) }

// share is the part of its life that the token had left when it was read.
func (a tokenResponse) share() float64 { return float64(a.left) / float64(a.life()) }

// ask reads a token from whichever process runs, by an update where there are parameters. It may be called from any goroutine.
func (s *testMount) ask(ctx context.Context, role string, data map[string]any) (tokenResponse, error) {
	var op logical.Operation = logical.ReadOperation
	if data != nil {
		op = logical.UpdateOperation
	}
	_, resp, err := s.Do(ctx, op, "token/"+role, data)
	switch {
	case err != nil:
		return tokenResponse{}, err
	case resp == nil:
		return tokenResponse{}, errors.New("an empty response")
	case resp.IsError():
		return tokenResponse{}, logical.CodedError(http.StatusBadRequest, resp.Error().Error())
	}
	return parseTokenResponse(resp)
}

// token is ask where the read must succeed.
func (s *testMount) token(role string) tokenResponse {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), role, nil)
	check.Require(s.t, err == nil, "token/%s: %v", role, err)
	return a
}

// wantNoDeadToken reads a token, and fails if one is served that is dead upstream. The read itself may fail.
func (s *testMount) wantNoDeadToken(killed string) {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), "app", nil)
	check.True(s.t, err != nil || s.Simulator.TokenAlive(a.access), "a token was served that %s has killed", killed)
}

// wantNotRead checks that a read, which may fail, does not give the token of that ID.
func (s *testMount) wantNotRead(id string) {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), "app", nil)
	check.Require(s.t, err != nil || a.id != id, "token %s is served", id)
}

// failed is ask where the read must fail.
func (s *testMount) failed(role string) {
	s.t.Helper()
	_ = s.failure(role)
}

// failure is why a read failed that must fail.
func (s *testMount) failure(role string) error {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), role, nil)
	check.Require(s.t, err != nil, "token/%s returned token %s and should have failed", role, a.id)
	return err
}

func parseTokenResponse(resp *logical.Response) (tokenResponse, error) {
	a := tokenResponse{data: resp.Data}
	var err error
	text := func(field string) string {
		value, ok := resp.Data[field].(string)
		if !ok {
			err = errors.Join(err, errors.New(field+" is no string"))
		}
		return value
	}
	moment := func(field string) time.Time {
		at, wrong := time.Parse(time.RFC3339, text(field))
		err = errors.Join(err, wrong)
		return at
	}
	seconds := func(field string) time.Duration {
		n, ok := resp.Data[field].(int64)
		if !ok {
			err = errors.Join(err, errors.New(field+" is no whole number"))
		}
		return time.Duration(n) * time.Second
	}
	a.access, a.id, a.config = text("access_token"), text("token_id"), text("config")
	a.issued, a.expires = moment("last_vault_rotation"), moment("expires_at")
	a.left, a.ttl, a.period = seconds("expires_in"), seconds("ttl"), seconds("rotation_period")
	if resp.Secret != nil {
		a.lease = resp.Secret.TTL
		if resp.Secret.Renewable || resp.Secret.MaxTTL != resp.Secret.TTL || resp.Secret.TTL < time.Second {
			err = errors.Join(err, errors.New("a lease that is renewable, or of 0, or whose MaxTTL is another"))
		}
	}
	return a, err
}

// codeOf is the HTTP status that Vault makes of an error.
func codeOf(err error) int {
	if coded, ok := errors.AsType[logical.HTTPCodedError](err); ok {
		return coded.Code()
	}
	return http.StatusInternalServerError
}

// gst is the usual testMount: config gst for jwtAccount, stored without a login, and role app on it.
func gstMount(t *testing.T, ttl time.Duration, more ...any) *testMount {
	t.Helper()
	s := newLatencyMount(t, jwtAccount(withTTL(ttl)))
	s.write("config/gst", jwtConfig(append([]any{"verify_connection", false}, more...)...))
	s.write("role/app", map[string]any{"config": "gst"})
	s.write("role/still", map[string]any{"config": "gst", "lease": false})
	s.wantLogins(0, "by a write without verification")
	return s
}

// refusedMount is gstMount after one read, for which the upstream has refused the stored password, as it does from now on.
func refusedMount(t *testing.T) *testMount {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.changePassword()
	s.failed("app")
	s.wantRefusedLogins(1)
	return s
}

// changePassword makes the upstream refuse the stored password from now on.
func (s *testMount) changePassword() {
	s.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "another-password" }))
}

// status reads status/gst.
func (s *testMount) status() map[string]any {
	s.t.Helper()
	return s.read("status/gst").Data
}
