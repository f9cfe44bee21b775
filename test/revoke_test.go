// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// contains reports whether a text has all of the parts.
func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// ksaMount is a mount with an account whose tokens can be killed upstream.
func ksaMount(t *testing.T, ttl time.Duration) *testMount {
	t.Helper()
	f := jwtV2().living(ttl)
	s := newLatencyMount(t, f.account)
	s.mount(f)
	return s
}

// revocation is what revoke/ said of one token.
type revocation struct{ upstream, validUntil string }

// revoke revokes the tokens of gst, or the one of the given ID, which must get 200.
func (s *testMount) revoke(id string) (map[string]revocation, []string) {
	s.t.Helper()
	var data map[string]any
	if id != "" {
		data = map[string]any{"token_id": id}
	}
	resp := s.write("revoke/gst", data)
	tokens, ok := resp.Data["tokens"].(map[string]any)
	check.Require(s.t, ok, "revoke returns %v, want tokens", resp.Data)
	revoked := make(map[string]revocation)
	for id, value := range tokens {
		fields, _ := value.(map[string]any)
		upstream, _ := fields["upstream"].(string)
		until, _ := fields["valid_until"].(string)
		revoked[id] = revocation{upstream, until}
	}
	return revoked, resp.Warnings
}

// failRevoke revokes the tokens of gst while storage fails, which must be an error, and leaves storage failing.
func (s *testMount) failRevoke() {
	s.t.Helper()
	s.Storage.FailPuts(1000)
	_, err := s.do(s.t.Context(), logical.UpdateOperation, "revoke/gst", nil)
	check.Require(s.t, err != nil, "revoke/ succeeded although storage failed")
	s.says(err.Error(), "no longer handed out until the plugin restarts", "run the command again once storage takes writes")
}

// A leaked token is looked up after a revocation that storage did not take: a restart would hand it out again.
func TestLookup_RevocationNotStored(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		id := s.token("app").id
		s.failRevoke()
		advice := text(t, s.write("lookup", map[string]any{"token_id": id}).Data, "advice")
		s.says(advice, "a restart of the plugin undoes it", "vault write mastersindia/revoke/gst token_id="+id)
		s.Storage.Heal()
		s.write("revoke/gst", map[string]any{"token_id": id})
		advice = text(t, s.write("lookup", map[string]any{"token_id": id}).Data, "advice")
		check.True(t, !strings.Contains(advice, "restart"), "once it is stored: %s", advice)
		s.Crash()
		s.wantNotServed(id)
	})
}

// wantNotServed reads a token, which must not be the revoked one.
func (s *testMount) wantNotServed(revoked string) {
	s.t.Helper()
	check.True(s.t, s.token("app").id != revoked, "a revoked token was served")
}

func TestRevoke_KillsEveryUnexpiredToken(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, crash bool) {
		s := ksaMount(t, time.Hour)
		var held []tokenResponse
		for range 4 {
			held = append(held, s.token("app"))
			advance(15 * time.Second)
			s.mustRotate()
		}
		held = append(held, s.token("app"))
		logins := s.logins()
		if crash {
			s.Crash()
		}
		revoked, warnings := s.revoke("")
		check.True(t, len(revoked) == len(held) && len(warnings) == 0, "%d of %d, warnings %q", len(revoked), len(held), warnings)
		for n, a := range held {
			got := revoked[a.id]
			check.True(t, got.upstream == "killed" && got.validUntil != "", "token %d: %+v, want killed", n, got)
			check.True(t, !s.Simulator.TokenAlive(a.access), "token %d lives upstream after revoke", n)
		}
		c := s.Simulator.Counters()
		check.True(t, c.RefreshesOK == len(held), "%d exchanges, want %d", c.RefreshesOK, len(held))
		s.wantLogins(logins, "before and after the revocation")
		next := s.token("app")
		check.True(t, s.Simulator.TokenAlive(next.access), "the next read gave a dead token")
		for _, a := range held {
			check.True(t, next.id != a.id, "a revoked token was served")
		}
		s.wantLogins(logins+1, "after the next read")
	})
}

func TestRevoke_UnsupportedShowsExpiry(t *testing.T) {
	eachOf(t, []string{"", upstreamURL + "/api/v2/api-token-refresh/"}, func(t *testing.T, refreshURL string) {
		s := gstMount(t, time.Hour, "refresh_url", refreshURL)
		first := s.token("app") // which comes without a refresh token
		check.Equal(t, s.status()["can_revoke_upstream"], false, "can_revoke_upstream")
		revoked, warnings := s.revoke("")
		want := revocation{"unsupported", first.expires.Format(time.RFC3339)}
		check.True(t, len(revoked) == 1 && revoked[first.id] == want, "revoke returns %+v, want %s: %+v", revoked, first.id, want)
		check.True(t, len(warnings) != 0 && contains(warnings[0], first.id, want.validUntil),
			"warnings %q, want one that names the token that lives on, and until when", warnings)
		s.wantNotServed(first.id)
		// Asked again, it says the same of the token that lives on.
		revoked, _ = s.revoke(first.id)
		check.True(t, revoked[first.id] == want, "asked again, revoke returns %+v", revoked)
	})
}

func TestRevoke_UpstreamDownStopsServing(t *testing.T) {
	type testCase struct {
		fault    simulator.Fault
		upstream string
	}
	eachOf(t, []testCase{
		{simulator.Fault{Kind: simulator.FaultDown}, "unknown"},
		{simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour}, "unknown"},
		{simulator.Fault{Kind: simulator.FaultRefuse}, "refused"},
	}, func(t *testing.T, c testCase) {
		s := ksaMount(t, time.Hour)
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, c.fault)
		revoked, warnings := s.revoke("")
		check.Equal(t, revoked[first.id].upstream, c.upstream, "upstream")
		check.True(t, len(warnings) != 0 && contains(warnings[0], first.id), "warnings %q, want one: the token may live on", warnings)
		counted := s.Simulator.Counters()
		check.True(t, counted.Refreshes == 1 && counted.Faulted == 1, "%d exchanges, %d failed", counted.Refreshes, counted.Faulted)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.wantNotServed(first.id)
		// When the upstream is back, the old token can be killed.
		revoked, _ = s.revoke(first.id)
		check.True(t, revoked[first.id].upstream == "killed" && !s.Simulator.TokenAlive(first.access), "asked again: %+v", revoked)
	})
}

func TestRevoke_OfUnusedAccount(t *testing.T) {
	ksaTest(t, time.Hour, func(t *testing.T, s *testMount) {
		revoked, warnings := s.revoke("")
		check.True(t, len(revoked) == 0 && len(warnings) == 0, "revoke returns %+v, warnings %q", revoked, warnings)
		s.token("app")
		advance(3 * time.Hour)
		revoked, _ = s.revoke("")
		check.True(t, len(revoked) == 0, "revoke of expired tokens returns %+v", revoked)
		check.Equal(t, s.Simulator.Counters().Refreshes, 0, "exchanges")
	})
}

// While the upstream is asked another revokes, or Vault's minute comes: a second exchange would be refused.
func TestRevoke_KilledStaysKilled(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"a second revocation": func(s *testMount) { s.revoke("") }, "the minute": (*testMount).minute,
	}, func(t *testing.T, comes func(s *testMount)) {
		s := ksaMount(t, 24*time.Hour)
		first := s.token("app")
		advance(30 * time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second, On: simulator.OnRefresh})
		revoked := s.asyncRequest(t.Context(), logical.UpdateOperation, "revoke/gst", nil)
		advance(time.Second)
		comes(s)
		s.wait(revoked)
		c := s.Simulator.Counters()
		check.Require(t, c.Refreshes == 1 && c.RefreshesOK == 1, "%d exchanges, %d of them made; want one", c.Refreshes, c.RefreshesOK)
		s.wantKilled(first.id)
	})
}

// wantKilled checks that a token was killed upstream, without a warning that it may be valid.
func (s *testMount) wantKilled(id string) {
	s.t.Helper()
	until := moment(s.t, s.write("lookup", map[string]any{"token_id": id}).Data, "usable_until")
	check.True(s.t, !until.After(time.Now()), "a token that was killed is said to be usable until %s", until)
	revoked, warnings := s.revoke(id)
	check.True(s.t, revoked[id].upstream == "killed" && len(warnings) == 0, "asked again: %+v, warnings %q", revoked, warnings)
}

// What is named is revoked, and token_id="$UNSET" must not revoke every token of the account.
func TestRevoke_OneTokenLeavesOthers(t *testing.T) {
	ksaTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(15 * time.Second)
		s.mustRotate()
		second := s.token("app")
		for _, empty := range []any{"", " ", "\n"} {
			r := s.refusal(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": empty})
			check.True(t, r.status == http.StatusBadRequest && strings.HasPrefix(r.message, "token_id: is empty"), "%q: %v", empty, r)
		}
		r := s.refusal(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": nil})
		check.True(t, r.status == http.StatusBadRequest, "null: %d %s", r.status, r.message)
		for _, a := range []string{first.access, second.access} {
			check.Require(t, s.Simulator.TokenAlive(a), "a token was killed by an empty token_id")
		}
		got := s.token("app")
		check.True(t, got.id == second.id, "the token changed from %s to %s", second.id, got.id)
		revoked, _ := s.revoke(strings.ToUpper(first.id))
		check.True(t, len(revoked) == 1 && revoked[first.id].upstream == "killed", "the ID in capitals revoked %v, want %s", revoked, first.id)
		check.True(t, !s.Simulator.TokenAlive(first.access) && s.Simulator.TokenAlive(second.access), "not the named token alone was killed")
		logins := s.logins()
		check.True(t, s.token("app").id == second.id && s.logins() == logins, "the current token was dropped with a superseded one")
		s.revoke(second.id)
		check.True(t, s.token("app").id != second.id && !s.Simulator.TokenAlive(second.access), "it is served, or alive")
	})
}

// A token that is given in place of its ID is refused with the command that finds the ID.
func TestRevoke_TokenItselfSaysHowToFindID(t *testing.T) {
	mountTest(t, jwtV2(), func(t *testing.T, w *testMount) {
		token := text(t, w.read("token/app").Data, "access_token")
		for _, parameter := range []string{"token", "token_id"} {
			message := w.badRequest(logical.UpdateOperation, "revoke/gst", map[string]any{parameter: token},
				"token_id", "vault write mastersindia/lookup token=-")
			w.hides(message, token)
		}
		w.lookUp("token", token)
	})
}

// A revocation takes away the token that readers were still served while no login succeeds. It warns that reads fail now.
func TestRevoke_ReadsFailAfterwards(t *testing.T) {
	mountTest(t, jwtV2(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		_, warnings := w.revoke("")
		check.Equal(t, len(warnings), 0, "warnings of a revocation after which reads log in")
		advance(time.Minute)
		w.read("token/app")
		w.changePassword()
		advance(time.Minute)
		w.refusal(logical.UpdateOperation, "rotate/gst", nil)
		_, warnings = w.revoke("")
		check.True(t, slices.ContainsFunc(warnings, func(warning string) bool {
			return contains(warning, "No token is left to serve", "upstream refused the credentials", "reads fail", "vault write mastersindia/config/gst")
		}), "it warns %q, want that reads fail now", warnings)
		w.badRequest(logical.ReadOperation, "token/app", nil, "upstream refused the credentials")
	})
}

// The ledger knows the token of another config, or as expired: the warning has the right command.
func TestRevoke_TokenOfAnotherConfig(t *testing.T) {
	ksaTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.write("config/other", with(s.read("config/gst").Data, "password", "pass-of-clerk", "preset", "", "verify_connection", false))
		s.write("role/kiosk", map[string]any{"config": "other"})
		first, other := s.token("app"), s.token("kiosk")
		check.Require(t, other.id != first.id, "both configs have the same token")
		revoked, warnings := s.revoke(other.id)
		check.True(t, len(revoked) == 0 && s.Simulator.TokenAlive(other.access), "revoked %v", revoked)
		s.says(strings.Join(warnings, " "), "nothing was revoked", "was issued for config other: vault write mastersindia/revoke/other "+
			"token_id="+other.id)
		advance(2 * time.Hour)
		_, warnings = s.revoke(first.id)
		s.says(strings.Join(warnings, " "), "nothing was revoked", "expired at "+first.expires.Format(time.RFC3339))
		_, warnings = s.revoke("0123456789abcdef")
		s.says(strings.Join(warnings, " "), "nothing was revoked", "vault read mastersindia/status/gst")
		_, warnings = s.revoke(other.id)
		s.says(strings.Join(warnings, " "), "was issued for config other, and has expired")
	})
}

// A token of the config has expired as far as that was told, and another config was given it later and hands it out.
func TestRevoke_ExpiredTokenOfTwoConfigs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, repeatingOAuth(false).account)
		s.repeating(24*time.Hour, 0)
		s.mount(repeatingOAuth(false))
		s.write("config/other", with(repeatingOAuth(false).config, "verify_connection", false))
		s.write("role/kiosk", map[string]any{"config": "other"})
		first := s.token("app")
		s.write("config/gst", map[string]any{"paused": true})
		advance(30 * time.Minute)
		check.RequireEqual(t, s.token("kiosk").id, first.id, "the token of the other config")
		advance(31 * time.Minute)
		revoked, warnings := s.revoke(first.id)
		check.Equal(t, len(revoked), 0, "tokens revoked")
		s.says(strings.Join(warnings, " "), "It expired at", "Config other was given the same token "+first.id, "revoke/other token_id="+first.id)
		s.write("config/third", with(jwtV2().config, "verify_connection", false))
		warning := warningsOf(s.write("revoke/third", map[string]any{"token_id": first.id}))
		s.says(warning, "issued for config other: vault write mastersindia/revoke/other token_id="+first.id)
	})
}

// The upstream has issued the token of a verification when revoke/ is called, and its response comes later.
func TestRevoke_DuringVerificationDropsItsToken(t *testing.T) {
	ksaTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		release := s.Upstream.Hold()
		written := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst",
			map[string]any{"headers": map[string]any{"Productid": "einvoicing_global", "X-Branch": "7"}})
		advance(time.Second)
		s.wantLogins(2, "one of them the verification in flight")
		s.revoke("")
		read := s.async("token/app")
		advance(time.Second)
		release()
		_, err := s.wait(written).unpack()
		check.Require(t, codeOf(err) == http.StatusConflict, "the write is answered by %v", err)
		s.says(err.Error(), `config "gst"`)
		check.True(t, s.wait(read).resp.Data["token_id"] != first.id && s.logins() > 2, "a token is served that was issued before the revocation")
		check.Equal(t, s.Upstream.MostInFlight(""), 1, "logins of one account in flight at once")
	})
}

// A token_id is given to the wrong config, and the config that it was issued for is deleted.
func TestRevoke_AdviceOfDeletedConfigCanBeTyped(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		id := text(t, w.read("token/app").Data, "token_id")
		w.write("config/other", with(jwtV1().config, "verify_connection", false))
		w.remove("config/gst")
		resp := w.write("revoke/other", map[string]any{"token_id": id})
		_, advice, _ := strings.Cut(warningsOf(resp), ": nothing was revoked.")
		w.run(advice, nil)
	})
}

// revoke/ does not say of a token that lives upstream that it has expired.
func TestRevoke_TokenOfFormerConfig(t *testing.T) {
	recreate := func(s *testMount) {
		s.remove("config/gst")
		s.write("config/gst", jwtV2().config)
	}
	type testCase struct {
		happens func(s *testMount, id string)
		says    []string
		alive   bool
		revoked int
	}
	each(t, map[string]testCase{
		"not revoked before": {
			func(s *testMount, _ string) { recreate(s) },
			[]string{"is no longer handed out, but may be valid upstream until 2000-01-02T00:00:00Z"}, true, 1,
		},
		"revoked before that": {
			func(s *testMount, id string) { s.revoke(id); recreate(s) }, []string{"It was revoked upstream at 2000-01-01T00:00:00Z."}, false, 0,
		},
		"whose revocation is still being sent": {func(s *testMount, id string) {
			s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
			s.revoke(id)
			recreate(s)
			s.says(s.lookUp("token_id", id).Advice, "the engine goes on asking for its revocation")
		}, []string{"the upstream is still being asked to revoke it: vault write -field=advice mastersindia/lookup token_id="}, true, 0},
	}, func(t *testing.T, c testCase) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		a := s.token("app")
		c.happens(s, a.id)
		out, warnings := s.revoke(a.id)
		s.says(strings.Join(warnings, " "), c.says...)
		check.True(t, len(out) == c.revoked && s.Simulator.TokenAlive(a.access) == c.alive, "revoked were %v", out)
		s.Simulator.SetFault("", simulator.Fault{})
		advance(2 * time.Minute)
		isPending := strings.Contains(c.says[0], "still being asked")
		check.Equal(t, s.Simulator.TokenAlive(a.access), c.alive && !isPending, "the token is alive")
		if isPending {
			s.says(s.lookUp("token_id", a.id).Advice, "it is no longer valid")
		}
	})
}

// TestRevoke_TokenThatAnotherConfigHas has two configs of one account whose upstream gives both the same token.
func TestRevoke_TokenThatAnotherConfigHas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := repeatingOAuth(false)
		s := f.mounted(t)
		first := s.token("app")
		s.write("config/twin", f.config)
		s.write("role/twin", map[string]any{"config": "twin"})
		check.Require(t, s.token("twin").id == first.id, "another token: this tests nothing")
		command := "vault write mastersindia/revoke/twin token_id=" + first.id
		check.Contains(t, warningsOf(s.write("revoke/gst", nil)), "Config twin was given the same token "+first.id, command)
		check.Equal(t, s.token("twin").id, first.id, "the token of the other config")
		said := warningsOf(s.write("revoke/twin", map[string]any{"token_id": first.id}))
		check.True(t, !strings.Contains(said, "was given the same token"), "the token is revoked in both configs, but it says: %s", said)
	})
}

// TestRevoke_TokenThatOnlyAnotherConfigHas revokes a token that this config has no more.
func TestRevoke_TokenThatOnlyAnotherConfigHas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		more := []any{"verify_connection", false}
		s.write("config/gst", jwtConfig(more...))
		s.write("config/twin", jwtConfig("verify_connection", false))
		s.write("role/app", map[string]any{"config": "gst"})
		s.write("role/twin", map[string]any{"config": "twin"})
		id := s.token("app").id
		s.token("twin")
		advance(31 * time.Minute)
		s.remove("config/gst")
		s.write("config/gst", jwtConfig(more...))
		resp := s.write("revoke/gst", map[string]any{"token_id": id})
		check.Equal(t, s.token("twin").id, id, "twin serves")
		s.says(warningsOf(resp), "revoke/twin")
	})
}

// TestRevoke_TokenPastMaxTokenTTL revokes a token whose use max_token_ttl has ended, and which the upstream takes for longer.
func TestRevoke_TokenPastMaxTokenTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := jwtV2().living(24*time.Hour).mounted(t, "max_token_ttl", "1h")
		s.EveryMinute()
		first := s.token("app")
		advance(3 * time.Hour)
		check.Require(t, s.Simulator.TokenAlive(first.access), "the token is dead: this tests nothing")
		s.revoke(first.id)
		check.True(t, !s.Simulator.TokenAlive(first.access), "the token is alive")
	})
}

// TestRevoke_RepeatedUntilToldEnd has the upstream repeat a revoked token to the end that it has told, and then give another: readers
// get that one then, whatever max_token_ttl is.
func TestRevoke_RepeatedUntilToldEnd(t *testing.T) {
	eachOf(t, []string{"0s", "5h"}, func(t *testing.T, limit string) {
		s := newLatencyMount(t, jwtAccount(withTTL(24*time.Hour)))
		start := time.Now()
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"token":"the-token-of-day-%d","expires_in":86400}`, time.Since(start)/(24*time.Hour)) // to the engine
		})
		s.write("config/gst", jwtConfig("verify_connection", false, "max_token_ttl", limit))
		s.write("role/app", map[string]any{"config": "gst"})
		first := s.token("app")
		advance(10 * time.Minute)
		s.revoke(first.id)
		for time.Since(start) < 24*time.Hour+5*time.Minute {
			advance(time.Minute)
			a, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err != nil || a.id != first.id, "the revoked token is read")
		}
		_, err := s.ask(t.Context(), "app", nil)
		check.NoError(t, err)
	})
}

// TestRevoke_ReturnsNotAfterMaxTokenTTL deletes the config of a revoked token that was told to live a year.
func TestRevoke_ReturnsNotAfterMaxTokenTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "max_token_ttl", "24h")
		s.EveryMinute()
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":31536000}`)
		first := s.token("app")
		s.revoke(first.id)
		s.remove("config/gst")
		advance(32 * 24 * time.Hour)
		_, _ = s.tryRead("ledger/gst", nil) // has the record looked at
		s.write("config/gst", jwtConfig("verify_connection", false, "max_token_ttl", "24h"))
		s.wantNotRead(first.id)
	})
}

// A config that was deleted and written again takes the tokens from before out of use as well, which may be valid.
func TestRevoke_ActsOnTokensFromBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := ksaMount(t, time.Hour)
		before := s.token("app")
		s.remove("config/gst")
		s.mount(jwtV2().living(time.Hour))
		s.token("app")
		for range 2 {
			out, warnings := s.revoke("")
			check.True(t, s.Simulator.TokenAlive(before.access), "the token from before is dead: this tests nothing")
			check.Equal(t, out[before.id].upstream, "unsupported", "the outcome of the token from before")
			s.says(strings.Join(warnings, "\n"), "Token "+before.id+" is no longer handed out, but may be valid upstream until")
			check.Equal(t, s.lookUp("token_id", before.id).State, "revoked", "the token from before")
			s.write("rotate/gst", nil)
		}
		advance(2 * time.Hour)
		s.token("app")
		out, warnings := s.revoke("")
		check.True(t, len(out) == 1 && len(warnings) == 0, "of expired ones: %v, %q", out, warnings)
	})
}

// Revoked here, and valid upstream, as the deletion says.
func TestRevoke_WarnsOfRevokedTokensFromBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		var last time.Time
		for n, life := range []int{3600, 7200, 1800} {
			s.loginsReturn(fmt.Sprintf(`{"token":"invented-access-token-%d","expires_in":%d}`, n, life))
			if a := s.token("app"); a.expires.After(last) {
				last = a.expires
			}
			s.revoke("")
		}
		deleted := s.remove("config/gst")
		s.says(deleted, "3 of its tokens")
		s.write("config/gst", jwtConfig("verify_connection", false))
		_, warnings := s.revoke("")
		s.says(strings.Join(warnings, "\n"),
			"More tokens of config gst may be valid upstream (3, the last until "+last.UTC().Format(time.RFC3339)+")")
	})
}

// revoke/ answers within 30 s whatever the upstream does.
func TestRevoke_AnswersWithin30s(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall, On: simulator.OnRefresh})
		s.Storage.Slow(mounttest.Get, "ledger/", 5*time.Second)
		s.write("config/gst", map[string]any{"request_timeout": "60s"})
		began := time.Now()
		_, warnings := s.revoke("")
		atMost(t, time.Since(began), 30*time.Second, "revoke/ has answered %q", warnings)
		advance(2 * time.Minute)
	})
}

// revoke/ warns of more tokens from before the config was deleted and written again than it knows: also where many were rotated
// since, and storage takes ten milliseconds over a read.
func TestRevoke_WarnsOfTokensFromBeforeInTime(t *testing.T) {
	eachOf(t, []int{3, 120}, func(t *testing.T, rotations int) {
		s := gstMount(t, 24*time.Hour)
		s.EveryMinute()
		s.token("app")
		for range 17 { // of a deleted config the last 16 are known
			advance(time.Minute)
			s.write("rotate/gst", nil)
		}
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
		s.token("app")
		for range rotations {
			advance(11 * time.Second)
			s.write("rotate/gst", nil)
		}
		s.Storage.Slow(mounttest.Get, "ledger/", 10*time.Millisecond)
		_, warnings := s.revoke("")
		said := strings.Join(warnings, " ")
		check.True(t, strings.Contains(said, "More tokens of config gst may be valid upstream (2, "), "with %d tokens there is no such warning", rotations+1)
	})
}

// revoke/ warns that a twin hands out the same token: also where the config has many other tokens, and a read takes 10 ms.
func TestRevoke_WarnsOfTwinInTime(t *testing.T) {
	eachOf(t, []int{3, 120}, func(t *testing.T, rotations int) {
		s := gstMount(t, 24*time.Hour)
		s.EveryMinute()
		s.write("config/twin", jwtConfig("verify_connection", false))
		s.write("role/twin", map[string]any{"config": "twin"})
		s.token("app")
		for range rotations {
			advance(11 * time.Second)
			s.write("rotate/gst", nil)
		}
		advance(11 * time.Second)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		s.write("rotate/gst", nil)
		a := s.token("app")
		check.Equal(t, s.token("twin").id, a.id, "the token of the twin")
		advance(time.Second)
		s.Storage.Slow(mounttest.Get, "ledger/", 10*time.Millisecond)
		_, warnings := s.revoke("")
		s.Storage.Heal()
		check.Equal(t, s.token("twin").id, a.id, "the token of the twin, after revoke/gst")
		said := strings.Join(warnings, " ")
		check.True(t, strings.Contains(said, "Config twin was given the same token"), "with %d tokens there is no warning that config twin hands out the revoked one", rotations+2)
	})
}

// A token of a config that was deleted and written again is revoked by its ID, or none is: nothing breaks.
func TestRevoke_ByIDAfterConfigIsWrittenAgain(t *testing.T) {
	eachOf(t, []string{"wrong", "first", "second"}, func(t *testing.T, which string) {
		s := gstMount(t, time.Hour)
		ids := map[string]string{"wrong": "0123456789abcdef", "first": s.token("app").id}
		advance(time.Minute)
		s.mustRotate()
		ids["second"] = s.token("app").id
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
		s.write("revoke/gst", map[string]any{"token_id": ids[which]})
		for _, path := range []string{"rotate/gst", "config/gst"} {
			check.True(t, s.token("app").id != ids[which], "the revoked token is served")
			s.write(path, map[string]any{})
		}
	})
}
