// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// A token's write is under way while the account is loaded anew and revoked, and lands last.
func TestRevoke_SlowTokenWriteLandsLast(t *testing.T) {
	late := []time.Duration{2 * time.Second, 40 * time.Second}
	eachWith(t, map[string]func(*testMount){
		"invalidation": func(s *testMount) { s.Backend().InvalidateKey(s.t.Context(), "config/gst") },
		"invalidation and a look at the status": func(s *testMount) {
			s.Backend().InvalidateKey(s.t.Context(), "config/gst")
			s.status()
		},
	}, late, func(t *testing.T, _ string, meanwhile func(*testMount), after time.Duration) {
		for _, rotation := range []bool{false, true} {
			slowTokenWrite(t, rotation, after, meanwhile)
		}
	})
}

// A revocation that storage did not take outlives whatever has the account loaded anew.
func TestRevokeUnsaved_KeptThroughReloads(t *testing.T) {
	eachRestart(t, map[string]func(s *testMount){
		"a pause that is not stored": func(s *testMount) {
			s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
			_, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"paused": true})
			check.True(s.t, err != nil, "the write of config/gst succeeded although storage failed")
		},
		"a write of another cluster":    func(s *testMount) { s.elsewhere(1) },
		"two writes of another cluster": func(s *testMount) { s.elsewhere(2) },
		"one of each": func(s *testMount) {
			s.elsewhere(1)
			s.write("config/gst", map[string]any{"pause_reason": "moving house"})
		},
	}, func(t *testing.T, happens func(s *testMount), restart bool) {
		s := ksaMount(t, 24*time.Hour)
		first := s.token("app")
		advance(time.Minute)
		s.failRevoke()
		s.Storage.Heal()
		happens(s)
		s.Storage.Heal()
		if restart {
			for range 3 {
				s.minute()
				synctest.Wait()
			}
			s.Reload()
		}
		s.wantNotServed(first.id)
	})
}

// elsewhere is a number of writes of config gst by another cluster.
func (s *testMount) elsewhere(writes int) {
	for range writes {
		s.Backend().InvalidateKey(s.t.Context(), "config/gst")
		synctest.Wait()
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
	r := s.wait(revoked)
	check.Require(t, r.err == nil, "revoke/ failed: %v", r.err)
	advance(time.Minute)
	for _, restart := range []func(){func() {}, s.Reload, s.Crash} {
		restart()
		a := s.token("app")
		check.True(t, !slices.Contains(gone, a.id), "token %s is served, which was revoked: all that were out are %v", a.id, gone)
	}
}

// Storage refuses a revocation, and revoke/ says that the upstream was not asked. It is not asked later either: after a restart the
// token is served again.
func TestRevoke_UnstoredIsNotSentLater(t *testing.T) {
	ksaTest(t, 4*time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		_, err := s.do(t.Context(), logical.UpdateOperation, "revoke/gst", nil)
		check.Require(t, err != nil, "the revocation was stored")
		s.says(err.Error(), "the upstream was not asked to revoke them")
		advance(3 * time.Minute)
		check.Equal(t, s.Simulator.Counters().Refreshes, 0, "exchanges of the refresh token:")
		s.Storage.Heal()
		s.Crash()
		a := s.token("app")
		check.True(t, s.Simulator.TokenAlive(a.access), "token %s is served, and is dead", a.id)
	})
}
