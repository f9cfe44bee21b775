// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestSingleSession_TokenKilledByALoginIsNotServed: a new login has killed the token that is out, and storage takes its time over
// what the login brought. Readers are not given the dead one meanwhile.
func TestSingleSession_TokenKilledByALoginIsNotServed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		data map[string]any
		slow string
	}{
		{"rotate/gst", nil, "token/"},
		{"config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}}, "config/"},
		{"config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}}, "token/"},
	} {
		timed(t, c.path+" while storage is slow with "+c.slow, func(t *testing.T) {
			s := singleSessionMount(t, time.Hour)
			first := s.token("app")
			advance(2 * time.Minute)
			logins := s.logins()
			s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
				if kind == mounttest.Put && strings.HasPrefix(key, c.slow) && s.logins() > logins {
					return mounttest.Fault{Wait: 8 * time.Second}
				}
				return mounttest.Fault{}
			})
			done := s.asyncRequest(t.Context(), logical.UpdateOperation, c.path, c.data)
			advance(time.Second)
			if s.Simulator.TokenAlive(first.access) || s.logins() == logins {
				t.Fatal("the first token lives: no login has killed it")
			}
			dead := 0
			for range 6 {
				a, err := s.ask(t.Context(), "app", nil)
				if err == nil && !s.Simulator.TokenAlive(a.access) {
					dead++
				}
				advance(time.Second)
			}
			if dead > 0 {
				t.Errorf("%s of 6 reads were given a token that is dead upstream", fmt.Sprint(dead))
			}
			s.wait(done)
			advance(time.Minute)
			s.Storage.Heal()
		})
	}
}

// TestSingleSession_VerificationNeverSentKeepsToken: a caller gives up a verification before storage has taken note of it, so
// that nothing was sent. The token that is out is as good as before.
func TestSingleSession_VerificationNeverSentKeepsToken(t *testing.T) {
	t.Parallel()
	timed(t, "storage is slow", func(t *testing.T) {
		s := singleSessionMount(t, time.Hour)
		first := s.token("app")
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if kind == mounttest.Put && key == "token/gst" {
				return mounttest.Fault{Wait: 20 * time.Second}
			}
			return mounttest.Fault{}
		})
		s.quiet(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			s.refusalIn(ctx, logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
			for range 2 {
				if a := s.token("app"); a.id != first.id {
					t.Error("another token is served")
				}
				if got := s.read("status/gst").Data["state"]; got != "ready" {
					t.Errorf("state is %v, want ready", got)
				}
				advance(time.Minute)
				s.Storage.Heal()
				s.Reload()
			}
		})
	})
}
