// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestLookup_FindsTokenHoweverCopied(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		given := w.read("token/app").Data
		token, id := text(t, given, "access_token"), text(t, given, "token_id")
		for _, value := range []string{
			token, "Bearer " + token, "JWT " + token, token + "\n", "\r\n\t " + token + " \r\n", "Authorization: JWT " + token + "\n",
			text(t, given, "authorization"), `"` + token + `"` + "\n", "'Bearer " + token + "'", `"access_token": "` + token + `",`,
			"\ufeff" + token,
		} {
			found := w.lookUp("token", value)
			check.True(t, found.ID == id && found.Config == "gst", "found %s of %q", found.ID, found.Config)
		}
		for _, value := range []string{id, strings.ToUpper(id), id + "\n", "  " + id, `"` + id + `"` + "\n"} {
			found := w.lookUp("token_id", value)
			check.True(t, found.ID == id, "%q: found %s", value, found.ID)
		}
	})
}

func TestLookup_InvalidRequestHidesToken(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		given := w.read("token/app").Data
		token, id := text(t, given, "access_token"), text(t, given, "token_id")
		for name, c := range map[string]struct {
			data map[string]any
			says []string
		}{
			"nothing":            {nil, []string{"token", "token_id", "vault write mastersindia/lookup token=-"}},
			"empty":              {map[string]any{"token": "", "token_id": ""}, []string{"vault write mastersindia/lookup token=-"}},
			"blanks":             {map[string]any{"token": " \n"}, []string{"vault write mastersindia/lookup token=-"}},
			"both":               {map[string]any{"token": token, "token_id": id}, []string{"one of them"}},
			"the token as an id": {map[string]any{"token_id": token}, []string{"16 hex digits", "lookup token=-"}},
			"an id that is cut":  {map[string]any{"token_id": id[:15]}, []string{"16 hex digits"}},
			"a list":             {map[string]any{"token": []any{token}}, []string{"token: must be a string, given once"}},
			"a number":           {map[string]any{"token": 86397}, []string{"token: must be a string"}},
			"null":               {map[string]any{"token": nil}, []string{"token: must be a string"}},
			"a number as id":     {map[string]any{"token_id": json.Number("1234567890123456")}, []string{"token_id: must be a string"}},
			"a recovery token":   {map[string]any{"token": "hvr.canary"}, []string{"token: is one of Vault"}},
			"a token of Vault":   {map[string]any{"token": "hvs.canary"}, []string{"token: is one of Vault", "vault token revoke -accessor"}},
			"JSON":               {map[string]any{"token": `{"access_token":"` + token + `"}`}, []string{"token: is not one token"}},
			"two lines":          {map[string]any{"token": token[:9] + "\n" + token[9:]}, []string{"token: is not one token: give one, in one line"}},
			"a command":          {map[string]any{"token": "curl -H 'Authorization: JWT " + token + "' https://api.test/"}, []string{"token: is not one token"}},
			"UTF-16":             {map[string]any{"token": "\xff\xfe" + strings.Join(strings.Split(token, ""), "\x00")}, []string{"token: is not one token"}},
			"a variable":         {map[string]any{"token": "TOKEN=" + token}, []string{"token: is not one token"}},
			"a query":            {map[string]any{"token": "?access_token=" + token}, []string{"token: is not one token"}},
			"backticks":          {map[string]any{"token": "`" + token + "`"}, []string{"token: is not one token"}},
			"curly quotes":       {map[string]any{"token": "“" + token + "”"}, []string{"token: is not one token"}},
			"an end of sentence": {map[string]any{"token": token + "."}, []string{"token: is not one token"}},
			"brackets":           {map[string]any{"token": "(" + token + ")"}, []string{"token: is not one token"}},
			"a row of a table":   {map[string]any{"token": "| " + token + " |"}, []string{"token: is not one token"}},
			"a scheme and colon": {map[string]any{"token": "JWT:" + token}, []string{"token: is not one token"}},
			"an unseen blank":    {map[string]any{"token": token + "\u200b"}, []string{"token: is not one token"}},
			"base64":             {map[string]any{"token": inBase64("Bearer " + token + "\n")}, []string{"base64 -d"}},
			"base64 of JSON":     {map[string]any{"token": inBase64(`{"access_token":"` + token + `"}`)}, []string{"or is JSON in base64"}},
			"a part of a JWT":    {map[string]any{"token": "eyJhbGciOiJub25lIn0"}, []string{"is a part of a JWT"}},
			"base64 without =":   {map[string]any{"token": strings.TrimRight(inBase64(token), "=")}, []string{"base64 -d"}},
			"a line of a log":    {map[string]any{"token": "12:00 app: token " + token + " refused"}, []string{"token: is not one token"}},
			"a typing error":     {map[string]any{"tokn": token}, []string{"did you mean token"}},
			"another parameter":  {map[string]any{"token": token, "config": "gst"}, []string{"config", "unknown"}},
		} {
			message := w.badRequest(logical.UpdateOperation, "lookup", c.data, c.says...)
			w.hides(message, token)
			check.Require(t, !t.Failed(), "%s: %q", name, message)
		}
	})
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestLookup_UnknownTokenIs404(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		id := text(t, w.read("token/app").Data, "token_id")
		const stranger = "canary-of-another-vault"
		w.idle(func() {
			for _, data := range []map[string]any{
				{"token": stranger}, {"token": "Bearer " + stranger}, {"token_id": tokenID(stranger)}, {"token": id},
			} {
				r := w.refusal(logical.UpdateOperation, "lookup", data)
				check.True(t, r.status == http.StatusNotFound && r.coded, "%v, want a bare 404", r)
				w.says(r.message, "is unknown", "mastersindia/", "of this cluster", "its record was lost when Vault was restored")
				w.hides(r.message, stranger)
				if _, whole := data["token"]; whole {
					w.says(r.message, "or that is not the whole token, which is given from a file as token=@FILE")
				}
			}
			r := w.refusal(logical.UpdateOperation, "lookup", map[string]any{"token": id})
			w.says(r.message, "give it as token_id")
			w.hides(r.message, id)
		})
	})
}

func TestLookup_StateOfToken(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		first := w.read("token/app").Data
		id, end := text(t, first, "token_id"), moment(t, first, "expires_at")
		wants := func(state string, until time.Time) {
			t.Helper()
			found := w.lookUp("token_id", id)
			check.True(t, found.State == state && found.UsableUntil.Equal(until) && found.ExpiresAt.Equal(end),
				"%s until %s, want %s until %s", found.State, found.UsableUntil, state, until)
			for _, token := range w.ledgerOf("gst") {
				check.True(t, token.ID != id || (token.State == state && token.UsableUntil.Equal(until)),
					"ledger/ says %s until %s, lookup %s until %s", token.State, token.UsableUntil, state, until)
			}
		}
		wants("current", end)
		w.write("config/gst", map[string]any{"paused": true})
		wants("current", end)
		w.write("config/gst", map[string]any{"paused": false})
		advance(time.Minute)
		w.write("rotate/gst", nil)
		wants("superseded", end)
		w.Reload()
		wants("superseded", end)
		advance(time.Minute)
		revokedAt := time.Now()
		w.write("revoke/gst", map[string]any{"token_id": id})
		advance(time.Minute)
		until := end
		if f.config["refresh_url"] != nil {
			until = revokedAt
		}
		for range 2 {
			wants("revoked", until)
			w.Reload()
		}
		check.Equal(t, w.Simulator.TokenAlive(text(t, first, "access_token")), until.After(time.Now()), "the token is alive")
		advance(time.Until(end) + time.Second)
		wants("revoked", until)
		w.remove("config/gst")
		wants("revoked", until)
	})
}

func TestLookup_ShortLivedTokenIsExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := oauth().living(time.Minute)
		w := f.mounted(t, "rotation_percent", 99)
		first := w.read("token/app").Data
		w.write("rotate/gst", nil)
		end := moment(t, first, "expires_at")
		w.refusing(func() {
			advance(time.Until(end) - 7*time.Second)
			for n, state := range []string{"superseded", "expired", "expired"} {
				check.Equal(t, w.lookUp("token_id", text(t, first, "token_id")).State, state, "%d s later the old one is", 2*n)
				for _, token := range w.ledgerOf("gst") {
					check.True(t, token.State != "superseded" || n == 0, "nothing has replaced it: %s", describe(w.ledgerOf("gst")))
				}
				advance(2 * time.Second)
			}
		})
		advance(time.Minute)
		found := w.lookUp("token_id", text(t, first, "token_id"))
		check.True(t, found.State == "expired" && found.UsableUntil.Equal(end), "%s until %s, want expired until %s", found.State, found.UsableUntil, end)
	})
}

// TestLookup_TokenPastMaxTokenTTL has max_token_ttl end the use of a token that the upstream takes for longer.
func TestLookup_TokenPastMaxTokenTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, 24*time.Hour, "max_token_ttl", "1h")
		s.EveryMinute()
		first := s.token("app")
		advance(time.Minute)
		rotated := s.write("rotate/gst", nil).Data
		found := s.lookUp("token_id", first.id)
		revoked, _ := s.revoke(first.id)
		advance(90 * time.Minute)
		check.Require(t, s.Simulator.TokenAlive(first.access), "the token is dead: this tests nothing")
		now := time.Now()
		for name, until := range map[string]string{"revoke/ valid_until": revoked[first.id].validUntil,
			"rotate/ previous_valid_until": rotated["previous_valid_until"].(string), "lookup usable_until": found.UsableUntil.Format(time.RFC3339)} {
			at, err := time.Parse(time.RFC3339, until)
			check.True(t, err == nil && at.After(now), "%s is %s; at %s the upstream takes the token, as it has told", name, until, now)
		}
	})
}

func TestLookup_AdviceCommandsWork(t *testing.T) {
	type testCase struct {
		happens func(w *testMount, f fixture)
		says    string
		revokes bool // the command does, of what is superseded only where the upstream can
	}
	eachWith(t, map[string]testCase{
		"current":    {func(*testMount, fixture) {}, "it is being handed out", true},
		"paused":     {func(w *testMount, _ fixture) { w.write("config/gst", map[string]any{"paused": true}) }, "paused", true},
		"superseded": {func(w *testMount, _ fixture) { w.write("rotate/gst", nil) }, "it is no longer handed out", true},
		"expired":    {func(_ *testMount, f fixture) { advance(f.life + time.Hour) }, "it is no longer valid, unless the upstream", false},
		"deleted":    {func(w *testMount, _ fixture) { w.remove("config/gst") }, "was deleted", false},
		"recreated":  {func(w *testMount, f fixture) { w.remove("config/gst"); w.mount(f) }, "valid upstream until", false},
	}, fixtures(), func(t *testing.T, name string, c testCase, f fixture) {
		killable := f.config["refresh_url"] != nil
		w := f.mounted(t)
		given := w.read("token/app").Data
		token, id := text(t, given, "access_token"), text(t, given, "token_id")
		advance(time.Minute)
		c.happens(w, f)
		found := w.lookUp("token", token)
		w.says(found.Advice, c.says)
		resp := w.run(found.Advice, nil)
		switch {
		case !c.revokes && name != "expired":
			check.Equal(t, []string{found.Config, found.State, found.Reason}, []string{"gst", "superseded", "first_read"}, "found")
			w.says(found.Advice, "valid upstream until", "vendor")
			check.Equal(t, warningsOf(resp), "", "warnings of the command")
		case c.revokes:
			check.True(t, w.Simulator.TokenAlive(token) != killable, "the advice does not do what it says: %s", found.Advice)
			if killable || name != "superseded" {
				w.says(found.Advice, "revoke/gst token_id="+id)
				check.Equal(t, w.lookUp("token", token).State, "revoked", "state")
			}
			if !killable && name != "paused" {
				w.says(found.Advice, "vendor")
			}
		}
		if name == "current" {
			check.True(t, w.read("token/app").Data["token_id"] != id, "the token is still handed out")
		}
	})
}

func TestLookup_FailedRevocationShowsRetry(t *testing.T) {
	mountTest(t, jwtV2(), func(t *testing.T, w *testMount) {
		given := w.read("token/app").Data
		token, end := text(t, given, "access_token"), moment(t, given, "expires_at")
		advance(time.Minute)
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		w.write("revoke/gst", nil)
		w.Simulator.SetFault("", simulator.Fault{})
		advance(time.Hour)
		found := w.lookUp("token", token)
		check.True(t, found.State == "revoked" && found.UsableUntil.Equal(end) && w.Simulator.TokenAlive(token),
			"%s until %s, want revoked until %s", found.State, found.UsableUntil, end)
		w.says(found.Advice, "try again")
		killedAt := time.Now()
		w.run(found.Advice, nil)
		check.Require(t, !w.Simulator.TokenAlive(token), "the token should be dead")
		advance(time.Minute)
		for range 2 {
			found := w.lookUp("token", token)
			check.True(t, found.UsableUntil.Equal(killedAt), "usable until %s, want %s: before that it was alive", found.UsableUntil, killedAt)
			w.Reload()
		}
		w.remove("config/gst")
		found = w.lookUp("token", token)
		check.True(t, found.UsableUntil.Equal(killedAt), "the ledger says %s, want %s", found.UsableUntil, killedAt)
	})
}

func TestLookup_TokenOfTwoConfigs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV1()
		f.account.RepeatTokens = true
		w := f.mounted(t, "ledger_retention", "24h")
		w.write("config/long", with(f.config, "verify_connection", false, "ledger_retention", "480h"))
		w.write("role/long", map[string]any{"config": "long"})
		given := w.read("token/app").Data
		id := text(t, given, "token_id")
		w.write("rotate/gst", nil) // gives it again
		check.Require(t, w.read("token/long").Data["token_id"] == id, "the upstream should have given the same token")
		for range 3 {
			a, b := w.ledgerOf("gst"), w.ledgerOf("long")
			check.Require(t, len(a) == 1 && len(b) == 1, "%d and %d entries, want one each", len(a), len(b))
			check.True(t, writes(w.ledgerAccesses(w.Reload)) == 0, "a restart writes what is known")
		}
		w.lookUp("token_id", id)
		resp := w.write("lookup", map[string]any{"token_id": id})
		check.True(t, len(resp.Warnings) == 1 && strings.Contains(resp.Warnings[0], "ledger/"), "warnings %q", resp.Warnings)
		advance(time.Minute)
		w.write("revoke/gst", nil)
		a, b := w.ledgerOf("gst")[0].State, w.ledgerOf("long")[0].State
		check.True(t, a == "revoked" && b == "current", "%s and %s, want revoked and current", a, b)
		found := w.lookUp("token_id", id)
		check.True(t, found.Config == "long" && found.State == "current", "found %s of %s", found.State, found.Config)
		w.remove("config/gst")
		check.Equal(t, w.ledgerOf("gst")[0].State, "revoked", "the revocation was remembered for the wrong config")
		advance(4 * 24 * time.Hour)
		check.Equal(t, describe(w.ledgerOf("gst")), "", "the ledger has")
		found = w.lookUp("token_id", id)
		check.True(t, found.Config == "long", "found for %s, want long", found.Config)
		advance(20 * 24 * time.Hour)
		w.forgotten(id)
	})
}

// Lookup promises no revocation that nobody makes.
func TestLookup_DeletedConfigWhoseTokensCannotBeRevoked(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, s *testMount) {
		s.EveryMinute()
		first := s.token("app")
		out, _ := s.revoke("")
		check.Require(t, out[first.id].upstream == "unsupported", "revoke/ says %v", out)
		s.remove("config/gst")
		s.Upstream.Reset()
		advice, _ := s.write("lookup", map[string]any{"token_id": first.id}).Data["advice"].(string)
		advance(10 * time.Minute)
		n := len(s.Upstream.Requests())
		check.Require(t, n == 0 && s.Simulator.TokenAlive(first.access), "%d requests: something was revoked", n)
		check.True(t, !strings.Contains(advice, "goes on"), "nothing revokes the token, and lookup says: %s", advice)
	})
}

// Before the accounts were read at start, what the ledger lacks is not known.
func TestLookup_RightAfterStart(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		first := s.token("app")
		s.Storage.Slow(mounttest.Get, "token/", 3*time.Second)
		s.Crash()
		r := s.refusal(logical.UpdateOperation, "lookup", map[string]any{"token_id": first.id})
		check.True(t, r.status == http.StatusServiceUnavailable && !strings.Contains(r.message, "not issued"),
			"lookup right after start: %d %s", r.status, r.message)
		found := s.ledgerOf("gst")
		check.True(t, len(found) == 1 && found[0].ID == first.id, "ledger/gst right after start: %v", found)
		advance(10 * time.Second)
		s.lookUp("token_id", first.id)
		r = s.refusal(logical.UpdateOperation, "lookup", map[string]any{"token_id": tokenID("of another mount")})
		check.True(t, r.status == http.StatusNotFound, "lookup of an unknown token: %d %s", r.status, r.message)
	})
}

// Storage never gives one of the accounts. lookup names it, rather than say for ever that the plugin has just started.
func TestLookup_AccountCannotBeRead(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.EveryMinute()
		s.Storage.Fail(mounttest.Get, "token/gst", mounttest.ErrStorage())
		s.Reload()
		advance(time.Hour)
		r := s.refusal(logical.UpdateOperation, "lookup", map[string]any{"token_id": tokenID("of another mount")})
		s.says(r.message, "gst")
		check.True(t, !strings.Contains(r.message, "just started"), "lookup an hour after start: %d %s", r.status, r.message)
	})
}

// TestLookup_KilledPastMaxTokenTTL revokes a token upstream whose use max_token_ttl had ended before.
func TestLookup_KilledPastMaxTokenTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		s := newLatencyMount(t, f.living(24*time.Hour).account)
		s.mount(f, "max_token_ttl", "1h")
		first := s.token("app")
		advance(3 * time.Hour)
		s.revoke(first.id)
		check.Require(t, !s.Simulator.TokenAlive(first.access), "the token is alive: this tests nothing")
		advance(time.Minute)
		found := s.lookUp("token_id", first.id)
		check.True(t, !found.UsableUntil.After(time.Now()), "usable_until %s, %s", found.UsableUntil, found.Advice)
	})
}

func TestLookup_RenewedTokenOfADeletedConfigIsNotDead(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-one-token-of-all","expires_in":3600}`)
		s.EveryMinute()
		a := s.token("app")
		advance(65 * time.Minute)
		again := s.token("app")
		check.Require(t, again.id == a.id && again.left >= 30*time.Minute, "token %s with %s left: it was not renewed", again.id, again.left)
		s.remove("config/gst")
		advance(time.Minute)
		found := s.lookUp("token_id", a.id)
		check.True(t, found.State != "expired" && !strings.Contains(found.Advice, "it is dead"),
			"a token that readers were told to be good for another %s is said to be %s: %s", again.left, found.State, found.Advice)
	})
}
