// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// hangingRefresh makes the refresh endpoint hang until it is mended. A request that hangs has no effect upstream.
func (s *testMount) hangingRefresh() (mend func()) {
	var mended atomic.Bool
	s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "refresh") && !mended.Load() {
			<-r.Context().Done()
			return
		}
		s.Simulator.ServeHTTP(w, r)
	})
	return func() { mended.Store(true) }
}

// The refresh endpoint hangs: tokens are out of use at once, and are killed when it is well again.
func TestRevoke_ReturnsInTimeAndContinues(t *testing.T) {
	eachOf(t, []string{"15s", "60s"}, func(t *testing.T, timeout string) {
		s := ksaMount(t, 24*time.Hour)
		s.write("config/gst", map[string]any{"request_timeout": timeout})
		s.EveryMinute()
		held := []tokenResponse{s.token("app")}
		for range 5 {
			advance(15 * time.Second)
			s.mustRotate()
			held = append(held, s.token("app"))
		}
		mend := s.hangingRefresh()
		began := time.Now()
		r := s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil))
		refused, is := asRefusal(r.unpack())
		check.Require(t, !is, "revoke/ got %v, want 200", refused)
		atMost(t, r.at.Sub(began), 30*time.Second+100*time.Millisecond, "revoke/ returned after")
		tokens, _ := r.resp.Data["tokens"].(map[string]any)
		for n, a := range held {
			said, _ := tokens[a.id].(map[string]any)
			check.True(t, said["upstream"] == "unknown", "token %d: %v, want unknown", n, said)
			check.Require(t, s.Simulator.TokenAlive(a.access), "token %d is dead: the endpoint did not hang", n)
		}
		current := s.token("app")
		for _, a := range held {
			check.True(t, a.id != current.id, "a revoked token is served")
		}
		mend()
		advance(5 * time.Minute)
		for n, a := range held {
			check.True(t, !s.Simulator.TokenAlive(a.access), "token %d is alive five minutes after the endpoint was mended", n)
		}
	})
}

func TestRevoke_ActsOnEveryToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const many = 530
		s := ksaMount(t, 24*time.Hour)
		s.token("app")
		for range many - 1 {
			advance(11 * time.Second)
			s.mustRotate()
		}
		tokens := s.accessTokens()
		check.RequireEqual(t, len(tokens), many, "tokens were issued")
		revoked, _ := s.revoke("")
		advance(5 * time.Minute) // the revocation upstream may continue
		got := len(revoked)
		check.True(t, got == many, "revoke/ acted on %d tokens, want %d", got, many)
		alive := 0
		for _, token := range tokens {
			if s.Simulator.TokenAlive(token) {
				alive++
			}
		}
		check.True(t, alive == 0, "%d of %d tokens are alive upstream", alive, many)
	})
}
