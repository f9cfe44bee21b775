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

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestLedger_OneEntryWithReason(t *testing.T) {
	reasons := []string{"first_read", "verification", "forced", "rotation", "rejected", "after_revoke"}
	eachPair(t, fixtures(), reasons, func(t *testing.T, f fixture, reason string) {
		way := map[string]struct {
			start string // how the first token comes
			get   func(t *testing.T, w *testMount)
		}{
			"first_read": {"", func(_ *testing.T, w *testMount) { w.read("token/app") }},
			"verification": {"", func(_ *testing.T, w *testMount) {
				w.write("config/gst", with(f.config, "headers", f.headersAnd("X-Team", "gst")))
			}},
			"forced":   {"first_read", func(_ *testing.T, w *testMount) { w.write("rotate/gst", nil) }},
			"rotation": {"first_read", func(_ *testing.T, _ *testMount) { advance(f.life * 67 / 100) }},
			"rejected": {"first_read", func(_ *testing.T, w *testMount) {
				id := w.read("token/app").Data["token_id"]
				advance(61 * time.Second)
				w.write("token/app", map[string]any{"rejected_token_id": id})
			}},
			"after_revoke": {"first_read", func(_ *testing.T, w *testMount) {
				w.write("revoke/gst", nil)
				w.read("token/app")
			}},
		}[reason]
		w := f.mounted(t)
		want := []string{reason}
		if way.start != "" {
			w.read("token/app")
			advance(time.Minute)
			want = []string{way.start, reason}
		}
		w.loggingIn(1, func() { way.get(t, w) })
		w.wantReasons(want...)
		checkNewest(t, w, f)
		// Reading on, ending a lease, a reload and a rewrite of the same settings are no login, and leave nothing.
		written := writes(w.ledgerAccesses(func() {
			resp := w.read("token/app")
			for range 10 {
				w.read("token/app")
			}
			w.endLease(resp.Secret)
			w.write("config/gst", map[string]any{"rotation_percent": 60})
			w.minute()
			w.Reload()
			synctest.Wait()
			w.read("token/app")
			w.read("status/gst")
		}))
		check.True(t, written == 0, "%d writes of the ledger without a login", written)
		w.wantReasons(want...)
	})
}

// checkNewest compares the newest entry with the token that readers are given.
func checkNewest(t *testing.T, w *testMount, f fixture) {
	t.Helper()
	given := w.read("token/app").Data
	tokens := w.ledgerOf("gst")
	check.Require(t, len(tokens) != 0, "the ledger is empty")
	newest := tokens[0]
	check.True(t, newest.ID == given["token_id"] && newest.State == "current", "newest: %s, %s", newest.ID, newest.State)
	issued := moment(t, given, "issued_at")
	check.True(t, newest.IssuedAt.Equal(issued), "issued_at is %s, want %s", newest.IssuedAt, issued)
	got, want := newest.ExpiresAt, moment(t, given, "expires_at")
	check.True(t, got.Equal(want) && newest.UsableUntil.Equal(want), "expires_at is %s, usable_until %s, want %s", got, newest.UsableUntil, want)
	between(t, newest.ExpiresAt.Sub(newest.IssuedAt), f.life-time.Second, f.life, "a life of")
}

func TestLedger_ReadsAndWritesOfLogin(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		advance(time.Minute)
		w.ledgerOf("gst")
		counts := w.ledgerAccesses(func() { w.write("rotate/gst", nil) })
		check.True(t, counts["get id"]+counts["get config"]+counts["get day"] == 3 && writes(counts) == 2 && counts["list day"] == 0,
			"a login makes %v", counts)
		advance(24 * time.Hour)
		counts = w.ledgerAccesses(func() { w.write("rotate/gst", nil) })
		check.True(t, writes(counts) == 3, "the first login of a day makes %v", counts)
	})
}

func TestLedger_FailedLoginHasNoEntry(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		w.refusing(func() {
			w.loggingIn(1, func() { w.refusal(logical.ReadOperation, "token/app", nil) })
			advance(2 * time.Minute)
			w.loggingIn(1, func() { w.refusal(logical.UpdateOperation, "rotate/gst", nil) })
			w.loggingIn(1, func() { w.refusal(logical.UpdateOperation, "config/new", f.config) })
			w.Reload()
			advance(time.Minute)
		})
		check.Equal(t, len(w.storedUnder("ledger/")), 0, "entries under ledger/")
		check.Equal(t, describe(w.ledgerOf("gst")), "", "the ledger has")
	})
}

func TestLedger_ReasonSurvivesRestart(t *testing.T) {
	mountTest(t, oauth(), func(_ *testing.T, w *testMount) { // whose token expires meanwhile
		w.read("token/app")
		synctest.Wait() // the ledger is written
		w.Stop()
		advance(2 * time.Hour)
		w.Start()
		w.loggingIn(1, func() { w.read("token/app") })
		w.wantReasons("first_read", "rotation")
	})
}

func TestLedger_ManyTokensInOrder(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		want := 300
		for n := range want {
			if w.write("rotate/gst", nil); n%100 == 57 {
				w.Reload()
			}
			advance(11 * time.Second)
		}
		tokens := w.ledgerOf("gst")
		seen := map[string]bool{}
		for n, token := range tokens {
			seen[token.ID] = true
			check.Require(t, n == 0 || !token.IssuedAt.After(tokens[n-1].IssuedAt), "entry %d is newer than the one before it", n)
		}
		check.True(t, len(tokens) == want && len(seen) == want, "%d entries of %d tokens, want %d", len(tokens), len(seen), want)
		bytes := 0
		for key, value := range w.storedUnder("ledger/") {
			bytes += len(key) + len(value)
			check.True(t, !strings.HasPrefix(key, "ledger/day/") || strings.Count(value, "token_id") <= 128, "%s has more tokens than a page", key)
		}
		atMost(t, bytes/want, 256, "bytes a token")
		counts := w.ledgerAccesses(func() { w.lookUp("token_id", tokens[0].ID) })
		check.Equal(t, counts, map[string]int{"get id": 1, "get day": 1}, "a lookup makes")
		for _, n := range []int{0, 127, 128, 129, 255, 256, 299} {
			found := w.lookUp("token_id", tokens[n].ID)
			check.True(t, found.ID == tokens[n].ID && found.Config == "gst", "token %d is not found", n)
		}
	})
}

// TestLedger_ReasonOfARetriedLogin: the first login fails, and the engine's own retry brings the first token.
func TestLedger_ReasonOfARetriedLogin(t *testing.T) {
	eachNamed(t, map[string]string{"first read": "first_read", "after revoke": "after_revoke"}, func(t *testing.T, _ string, want string) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		if want == "after_revoke" {
			s.token("app")
			advance(time.Minute)
			s.revoke("")
		}
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		s.failed("app")
		advance(100 * time.Millisecond)
		s.failed("app")
		s.Simulator.SetFault("", simulator.Fault{})
		advance(10 * time.Second)
		s.token("app")
		got := s.reasons()
		check.True(t, got[len(got)-1] == want, "reasons %q, want the last %s", got, want)
		check.Equal(t, s.scrape().counted("rotations_total"), map[string]float64{}, "rotations")
	})
}

// Of the one token that takes the place of a revoked one, and of none that comes later for a reason of its own.
func TestLedger_ReasonAfterRevokeOnce(t *testing.T) {
	revoked := func(passed time.Duration, then func(s *testMount)) func(s *testMount) {
		return func(s *testMount) {
			s.revoke("")
			advance(passed)
			then(s)
			s.token("app")
		}
	}
	rotates := func(*testMount) { advance(45 * time.Minute) }
	type testCase struct {
		happens, after func(s *testMount)
		want           []string // the oldest first; "" is any but after_revoke
	}
	eachRestart(t, map[string]testCase{
		"read":            {revoked(time.Minute, nothing), rotates, []string{"first_read", "after_revoke", "rotation"}},
		"restarted":       {revoked(time.Minute, (*testMount).Reload), nothing, []string{"first_read", "after_revoke"}},
		"forced rotation": {revoked(time.Minute, func(s *testMount) { s.mustRotate() }), rotates, []string{"first_read", "forced", "rotation"}},
		"long after":      {revoked(72*time.Hour, nothing), nothing, []string{"first_read", ""}}, // the revoked token is dead by itself
		"superseded token": {func(s *testMount) {
			first := s.token("app")
			advance(time.Minute)
			s.mustRotate()
			s.token("app")
			s.revoke(first.id)
		}, rotates, []string{"first_read", "forced", "rotation"}},
		"verification": {revoked(time.Minute, func(s *testMount) {
			s.write("config/gst", branch("7"))
			advance(2 * time.Hour) // no reads, and the token expires
		}), nothing, []string{"first_read", "verification", ""}},
		"config deleted and made anew": {revoked(time.Minute, func(s *testMount) {
			s.remove("config/gst")
			s.write("config/gst", jwtConfig("verify_connection", false))
			advance(time.Minute)
		}), nothing, []string{"first_read", ""}},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(time.Minute)
		c.happens(s)
		c.after(s)
		s.reloadIf(restart)
		advance(time.Minute)
		got := s.reasons()
		check.True(t, slices.EqualFunc(got, c.want, func(got, want string) bool {
			return got == want || want == "" && got != "after_revoke"
		}), "the ledger has %q, want %q", got, c.want)
	})
}
