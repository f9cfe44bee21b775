// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestRevoke_SlowTokenWriteLandsLast: the write that stores a new token is still under way while the account is loaded anew and
// revoked. When that write lands at last, a restart must not bring the revoked token back.
func TestRevoke_SlowTokenWriteLandsLast(t *testing.T) {
	t.Parallel()
	for _, meanwhile := range []struct {
		name string
		do   func(s *testMount)
	}{
		{"invalidation", func(s *testMount) { s.Backend().InvalidateKey(s.t.Context(), "config/gst") }},
		{"invalidation and a look at the status", func(s *testMount) {
			s.Backend().InvalidateKey(s.t.Context(), "config/gst")
			s.status()
		}},
	} {
		for _, login := range []string{"first read", "rotation"} {
			for _, landsAfter := range []time.Duration{2 * time.Second, 40 * time.Second} {
				t.Run(meanwhile.name+", "+login+", lands after "+landsAfter.String(), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { slowTokenWrite(t, login == "rotation", landsAfter, meanwhile.do) })
				})
			}
		}
	}
}

func slowTokenWrite(t *testing.T, rotation bool, landsAfter time.Duration, meanwhile func(*testMount)) {
	t.Helper()
	s := gstMount(t, 24*time.Hour)
	if rotation {
		s.token("app")
		advance(time.Minute)
	}
	before := s.logins()
	response := s.Upstream.Hold()
	go func() {
		if rotation {
			_, _ = s.do(t.Context(), logical.UpdateOperation, "rotate/gst", nil)
			return
		}
		_, _ = s.ask(t.Context(), "app", nil)
	}()
	s.waitUntil("the login", func() bool { return s.logins() > before })
	caught, release := s.Storage.HoldNextPut("token/gst")
	defer release()
	response()
	s.waitUntil("the write of the token", func() bool { return closed(caught) }) // the token is in memory at most, and on its way to storage
	meanwhile(s)
	synctest.Wait()
	var gone []string
	for _, token := range s.accessTokens() {
		gone = append(gone, tokenID(token))
	}
	revoked := s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil)
	advance(landsAfter)
	release()
	if r := s.wait(revoked); r.err != nil {
		t.Fatalf("revoke/ failed: %v", r.err)
	}
	advance(time.Minute)
	for _, restart := range []func(){func() {}, s.Reload, s.Crash} {
		restart()
		if a := s.token("app"); slices.Contains(gone, a.id) {
			t.Errorf("token %s is served, which was revoked: all that were out are %v", a.id, gone)
		}
	}
}
