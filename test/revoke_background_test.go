// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Storage does not respond. An operator who gets a success relies on it after a restart.
func TestRevoke_WarnsThatItIsNotStored(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		a := s.token("app")
		advance(time.Minute)
		caught, release := s.Storage.HoldNextPut("token/gst")
		r := s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil))
		check.Require(t, closed(caught), "the write was not held")
		refused, is := asRefusal(r.unpack())
		check.Require(t, !is, "revoke/ got %v, want 200", refused)
		warned := slices.ContainsFunc(r.resp.Warnings, func(w string) bool { return strings.Contains(w, "restart") })
		s.LoseStorage()
		s.Stop()
		s.Start()
		defer release() // the write that was held never lands
		check.True(t, s.token("app").id != a.id || warned, "a restart brings the token back, and revoke/ did not warn of that")
	})
}

// clockAhead has the wall clock run two days ahead for two minutes, in which the account is used.
func clockAhead(s *testMount) {
	s.Clock.Jump(48 * time.Hour)
	_, _ = s.ask(s.t.Context(), "app", nil)
	_, _ = s.rotate()
	advance(2 * time.Minute)
	s.Clock.Jump(-48 * time.Hour)
}

// A revocation is sent upstream later, whatever the operator does next about the account.
func TestRevoke_GoesOnTellingAfterWhatFollows(t *testing.T) {
	failing := func(access string) func(s *testMount) {
		return func(s *testMount) {
			s.Storage.Fail(access, "token/", mounttest.ErrStorage())
			s.Reload()
			advance(time.Minute)
			s.Storage.Heal()
		}
	}
	each(t, map[string]func(s *testMount){
		"restarted without lists": failing(mounttest.List), "restarted without reads": failing(mounttest.Get),
		"nothing": func(*testMount) {},
		"paused":  func(s *testMount) { s.write("config/gst", map[string]any{"paused": true}) },
		"another password": func(s *testMount) {
			s.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "another-password" }))
			s.write("config/gst", map[string]any{"password": "another-password"})
		},
		"restarted": func(s *testMount) { s.Reload() },
		"deleted":   func(s *testMount) { s.remove("config/gst") },
		"deleted, written again and deleted once more": func(s *testMount) {
			s.remove("config/gst")
			s.write("config/gst", jwtConfig("verify_connection", false))
			s.remove("config/gst")
		},
		"other roots, as the operator mends it": func(s *testMount) {
			s.write("config/gst", map[string]any{"ca_cert": roots(s.t), "password": "pass-of-clerk", "verify_connection": false})
		},
		"clock ahead for a moment": clockAhead,
		"deleted, clock ahead for a moment": func(s *testMount) {
			s.remove("config/gst")
			clockAhead(s)
		},
	}, func(t *testing.T, follows func(s *testMount)) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		told, _ := s.revoke("")
		got := told[first.id].upstream
		check.Require(t, got == "unknown", "the upstream is said to have %s the token", got)
		follows(s)
		advance(30 * time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(5 * time.Minute)
		if s.Simulator.TokenAlive(first.access) {
			advice := ""
			if resp, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": first.id}); err == nil {
				advice, _ = resp.Data["advice"].(string)
			}
			t.Errorf("five minutes after the upstream is back the token lives; lookup says: %s", advice)
		}
	})
}

// A revocation that was not sent is lost where the config is deleted and the process ends: lookup says until when the token is good.
func TestRevoke_LookupSaysUntilWhenAfterDelete(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, restarted bool) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		s.revoke("")
		said := s.remove("config/gst") + s.lookUp("token_id", first.id).Advice // the engine goes on with it
		check.True(t, !strings.Contains(said, "only the vendor can end them") && !strings.Contains(said, "cannot be revoked here"),
			"the deletion and lookup said: %s", said)
		s.reloadIf(restarted)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(10 * time.Minute)
		found := s.lookUp("token_id", first.id)
		lives := s.Simulator.TokenAlive(first.access)
		check.True(t, !restarted || !strings.Contains(found.Advice, "goes on"), "nothing revokes it, and lookup says: %s", found.Advice)
		check.True(t, found.State == "revoked" && found.UsableUntil.After(time.Now()) == lives && lives == restarted,
			"%s until %s, and the token lives upstream: %t", found.State, found.UsableUntil, lives)
	})
}

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
		check.Equal(t, len(revoked), many, "tokens that revoke/ acted on")
		alive := slices.DeleteFunc(tokens, func(token string) bool { return !s.Simulator.TokenAlive(token) })
		check.Equal(t, len(alive), 0, "tokens of %d that are alive upstream", many)
	})
}

// TestRevoke_ContinuesPastMaxTokenTTL has a refresh endpoint that is down until max_token_ttl has ended the use of a revoked token.
func TestRevoke_ContinuesPastMaxTokenTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := jwtV2().living(24*time.Hour).mounted(t, "max_token_ttl", "1h")
		s.EveryMinute()
		first := s.token("app")
		advance(50 * time.Minute)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		s.revoke(first.id)
		advance(20 * time.Minute)
		s.Simulator.SetFault("", simulator.Fault{})
		advance(10 * time.Minute)
		check.True(t, !s.Simulator.TokenAlive(first.access), "the revoked token is alive, and the upstream is asked no more")
	})
}

// The refresh endpoint is down while a new token is served: it is asked once a minute.
func TestRevoke_PendingIsAskedEachMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := jwtV2().living(24 * time.Hour).mounted(t)
		s.EveryMinute()
		s.token("app")
		advance(2 * time.Minute)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		s.revoke("")
		s.token("app")
		before := len(s.Upstream.Requests())
		advance(10 * time.Minute)
		asked := len(s.Upstream.Requests()) - before
		check.True(t, asked >= 9 && asked <= 11, "the upstream was asked %d times in ten minutes", asked)
	})
}

// A revocation that the upstream has yet to take is asked for again, also after a write whose verification has brought that token
// once more and was not stored.
func TestRevoke_PendingAfterItsTokenIsRepeated(t *testing.T) {
	eachNamed(t, map[string]bool{"with a write that fails": true, "without": false}, func(t *testing.T, _ string, writes bool) {
		s := newLatencyMount(t, jwtV2().living(24*time.Hour).account)
		s.repeating(24*time.Hour, 0)
		s.mount(jwtV2().living(24 * time.Hour))
		s.EveryMinute()
		a := s.token("app")
		advance(2 * time.Minute)
		down := true
		var mu sync.Mutex
		repeat := []byte(s.Upstream.Requests()[0].Response)
		s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case strings.Contains(r.URL.Path, "token-auth"):
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(repeat)
			case down:
				w.WriteHeader(http.StatusBadGateway)
			default:
				s.Simulator.ServeHTTP(w, r)
			}
		})
		out, _ := s.revoke("")
		check.RequireEqual(t, out[a.id].upstream, "unknown", "upstream")
		if writes {
			s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
			_, err := s.do(t.Context(), logical.UpdateOperation, "config/gst",
				map[string]any{"headers": map[string]any{"Productid": "einvoicing_global", "X-Branch": "7"}})
			check.True(t, err != nil, "the write was stored")
			s.Storage.Heal()
		}
		mu.Lock()
		down = false
		mu.Unlock()
		advance(30 * time.Minute)
		check.True(t, !s.Simulator.TokenAlive(a.access), "the revoked token is alive upstream half an hour after the refresh endpoint came back")
	})
}

// A revocation that the upstream has yet to take is asked for again each minute, also after a write of the config that failed.
func TestRevoke_AskedAgainAfterAFailedWrite(t *testing.T) {
	eachNamed(t, map[string]func(s *testMount) (end func()){
		"no write": func(*testMount) func() { return func() {} },
		"a write that fails": func(s *testMount) func() {
			s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
			_, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"max_token_ttl": "5h"})
			check.True(s.t, err != nil, "the write was stored")
			s.Storage.Heal()
			return func() {}
		},
		"a write that hangs": func(s *testMount) func() {
			_, release := s.Storage.HoldNextPut("config/gst")
			_, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"max_token_ttl": "5h"})
			check.Equal(s.t, codeOf(err), http.StatusGatewayTimeout, "code")
			return release
		},
	}, func(t *testing.T, _ string, write func(s *testMount) func()) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		a := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		out, _ := s.revoke("")
		check.RequireEqual(t, out[a.id].upstream, "unknown", "upstream")
		end := write(s)
		defer end()
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.Upstream.Reset()
		began := time.Now()
		for s.Simulator.TokenAlive(a.access) && time.Since(began) < 2*time.Hour {
			advance(30 * time.Second)
		}
		atMost(t, time.Since(began), 3*time.Minute, "the upstream was asked again (%d requests)", len(s.Upstream.Requests()))
	})
}

// revoke/ returns what the upstream has said of a token also where its config is deleted while it waits for another one.
func TestRevoke_ConfigDeletedMeanwhile(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(time.Minute)
		s.mustRotate()
		second := s.token("app")
		var exchanges atomic.Int32
		s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "refresh") && exchanges.Add(1) == 2 {
				advance(5 * time.Second)
			}
			s.Simulator.ServeHTTP(w, r)
		})
		revocation := s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil)
		advance(2 * time.Second)
		s.remove("config/gst")
		resp, err := s.wait(revocation).unpack()
		check.NoError(t, err)
		tokens := resp.Data["tokens"].(map[string]any)
		killed := 0
		for _, a := range []tokenResponse{first, second} {
			said := tokens[a.id].(map[string]any)["upstream"]
			if !s.Simulator.TokenAlive(a.access) {
				killed++
				check.Equal(t, said, any("killed"), "what is said of a token that is dead upstream")
			}
		}
		check.True(t, killed != 0, "no token is dead")
	})
}
