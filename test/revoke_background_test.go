// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestRevoke_ContinuesWithoutReads: the refresh endpoint hangs for half an hour, and the account is not read any more.
func TestRevoke_ContinuesWithoutReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		meanwhile func(s *testMount)
	}{
		{"the same process", func(*testMount) {}},
		{"a restart", (*testMount).Reload},
	} {
		timed(t, c.name, func(t *testing.T) {
			s := ksaMount(t, 24*time.Hour)
			s.EveryMinute()
			a := s.token("app")
			mend := s.hangingRefresh()
			revoked, _ := s.revoke("")
			if got := revoked[a.id].upstream; got != "unknown" {
				t.Fatalf("upstream is %q, want unknown: the endpoint did not hang", got)
			}
			c.meanwhile(s)
			advance(30 * time.Minute)
			mend()
			advance(5 * time.Minute)
			if s.Simulator.TokenAlive(a.access) {
				t.Error("the revoked token is alive five minutes after the endpoint was mended")
			}
		})
	}
}

// TestRevoke_WarnsThatItIsNotStored: storage does not respond. An operator who gets a success relies on it after a
// restart.
func TestRevoke_WarnsThatItIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		held := s.onHeldStorage()
		a := s.token("app")
		advance(time.Minute)
		caught, release := held.holdNextPut("token/gst")
		r := s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil))
		if !closed(caught) {
			t.Fatal("the write was not held")
		}
		if refused, is := asRefusal(r.unpack()); is {
			t.Fatalf("revoke/ got %v, want 200", refused)
		}
		warned := slices.ContainsFunc(r.resp.Warnings, func(w string) bool { return strings.Contains(w, "restart") })
		s.LoseStorage()
		s.Stop()
		s.Start()
		defer release() // the write that was held never lands
		if after := s.token("app"); after.id == a.id && !warned {
			t.Error("a restart brings the token back, and revoke/ did not warn of that")
		}
	})
}

// TestRevoke_ContinuesAfterStorageFailedAtStart: the refresh endpoint hangs, and storage does not respond for the first
// minute after a restart. Nobody reads the account any more.
func TestRevoke_ContinuesAfterStorageFailedAtStart(t *testing.T) {
	t.Parallel()
	for _, access := range []string{mounttest.List, mounttest.Get} {
		timed(t, access, func(t *testing.T) {
			s := ksaMount(t, 24*time.Hour)
			s.EveryMinute()
			a := s.token("app")
			mend := s.hangingRefresh()
			s.revoke("")
			s.Storage.Fail(access, "token/", mounttest.ErrStorage())
			s.Reload()
			advance(time.Minute)
			s.Storage.Heal()
			mend()
			advance(10 * time.Minute)
			if s.Simulator.TokenAlive(a.access) {
				t.Error("the revoked token is alive ten minutes after storage and endpoint were mended")
			}
		})
	}
}
