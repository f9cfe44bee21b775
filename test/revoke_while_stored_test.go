// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"

	"github.com/hashicorp/vault/sdk/logical"
)

// revokedWhileStored revokes while the result of the login that begin makes is being stored, and returns what revoke/ answered.
func (s *testMount) revokedWhileStored(begin func() <-chan asyncResult, id string) (tokens map[string]any, warnings string) {
	s.t.Helper()
	letLoginGo := s.Upstream.Hold()
	begun := begin()
	advance(time.Second)
	caught, release := s.Storage.HoldNextPut("token/gst")
	letLoginGo()
	advance(time.Second)
	check.Require(s.t, closed(caught), "the write was not held: this tests nothing")
	var data map[string]any
	if id != "" {
		data = map[string]any{"token_id": id}
	}
	revoke := s.asyncRequest(s.t.Context(), logical.UpdateOperation, "revoke/gst", data)
	advance(time.Second)
	release()
	r := s.wait(revoke)
	refused, is := asRefusal(r.unpack())
	check.Require(s.t, !is, "revoke/: %v", refused)
	s.wait(begun)
	advance(10 * time.Second)
	tokens, _ = r.resp.Data["tokens"].(map[string]any)
	return tokens, warningsOf(r.resp)
}

// An upstream gives its one token again after its end, as good for another hour. revoke/ comes while that is being stored.
func TestRevokeWhileStored_RenewedToken(t *testing.T) {
	eachNamed(t, map[string]bool{"all": false, "by its ID": true}, func(t *testing.T, _ string, byID bool) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		a := s.token("app")
		advance(5 * time.Hour)
		id := ""
		if byID {
			id = a.id
		}
		tokens, warnings := s.revokedWhileStored(func() <-chan asyncResult { return s.async("token/app") }, id)
		check.True(t, tokens[a.id] != nil, "revoke/ has acted on %v; warned: %s", tokens, warnings)
		s.wantNotRead(a.id)
	})
}

// Other settings bring the token again that they have superseded. It is revoked by its ID while that is being stored.
func TestRevokeWhileStored_RepeatedToken(t *testing.T) {
	eachNamed(t, map[string]bool{"verified": true, "unverified": false}, func(t *testing.T, _ string, verify bool) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		a := s.token("app")
		advance(2 * time.Minute)
		tokens, warnings := s.revokedWhileStored(func() <-chan asyncResult {
			if verify {
				return s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
			}
			s.write("config/gst", branch("7", "verify_connection", false))
			return s.async("token/app")
		}, a.id)
		check.True(t, tokens[a.id] != nil, "revoke/ has acted on %v; warned: %s", tokens, warnings)
		t.Logf("revoke: %v %s", tokens, warnings)
		s.wantNotRead(a.id)
	})
}

// A write with another refresh_url has brought a token, and its refresh token, when revoke/ comes.
func TestRevokeWhileStored_OtherRefreshURL(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Storage.Slow(mounttest.Put, "config/", 10*time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{
			"refresh_url": "http://other-host.test/api/v2/api-token-refresh/", "password": "pass-of-clerk",
		})
		advance(time.Second)
		out, warnings := s.revoke("")
		_, err := s.wait(write).unpack()
		check.NoError(t, err)
		advance(2 * time.Minute)
		for _, r := range s.Upstream.Requests() {
			var body struct{ Token string }
			if strings.Contains(r.URL, "refresh") || json.Unmarshal([]byte(r.Response), &body) != nil || body.Token == "" {
				continue
			}
			check.True(t, !s.Simulator.TokenAlive(body.Token), "a token from before the revocation is alive: %v %q", out, warnings)
		}
	})
}

// revoke/ acts on every token of the config, also on one that a verification has just brought while its settings are being stored.
func TestRevokeWhileStored_TokenOfAWrite(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Storage.Slow(mounttest.Put, "config/", 10*time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst",
			map[string]any{"headers": map[string]any{"Productid": "einvoicing_global", "X-Branch": "7"}})
		advance(time.Second)
		s.revoke("")
		_, err := s.wait(write).unpack()
		check.NoError(t, err)
		for _, r := range s.Upstream.Requests() {
			var body struct{ Token string }
			if strings.Contains(r.URL, "refresh") || json.Unmarshal([]byte(r.Response), &body) != nil || body.Token == "" {
				continue
			}
			check.True(t, !s.Simulator.TokenAlive(body.Token), "a token from before the revocation is alive")
		}
	})
}
