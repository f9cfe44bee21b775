// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// forEachProtocol runs a test with the demo account of each protocol, changed as the test needs it.
func forEachProtocol(t *testing.T, change func(*simulator.Account), test func(t *testing.T, b *bed, a simulator.Account)) {
	t.Helper()
	for _, p := range simulator.Protocols() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			a := account(p, change)
			test(t, newBed(t, a), a)
		})
	}
}

// refusal is how a vendor's page says that something is refused: a status, and a part of the body.
type refusal struct {
	status int
	text   string
}

// refusals are those that every vendor has.
type refusals struct {
	// password is how a login with a wrong one is answered.
	password refusal
	// expired, killed and unknown are how a business call refuses such a token.
	expired, killed, unknown refusal
}

// documentedRefusals are what the vendors' pages say of each protocol.
func documentedRefusals() map[simulator.Protocol]refusals {
	return map[simulator.Protocol]refusals{
		simulator.JWT: {
			refusal{206, "Unable to login with provided credential"},
			refusal{401, `{"detail":"Signature has expired."}`}, refusal{401, `{"detail":"Incorrect authentication credentials."}`},
			refusal{401, `{"detail":"Error decoding signature."}`},
		},
		simulator.OAuth: {
			refusal{401, `"error":"invalid_grant"`},
			refusal{401, "The access token provided has expired"}, refusal{401, "The access token provided is invalid"},
			refusal{401, "The access token provided is invalid"},
		},
		simulator.SOAP: {
			refusal{200, "> invalid_grant </ns1:access_tokenResponse>"},
			refusal{200, "<error>invalid_token</error><error_description>The access token provided has expired"},
			refusal{200, "The access token provided is invalid"}, refusal{200, "The access token provided is invalid"},
		},
		simulator.FirstVision: {
			refusal{401, `"errorCode":"240101"`},
			refusal{401, `"invalid-params":["The token is expired"]`}, refusal{401, `"invalid-params":["Unauthorized"]`},
			refusal{400, `"errorCode":"240004"`},
		},
	}
}

func TestBusinessCall_RefusesAsDocumented(t *testing.T) {
	t.Parallel()
	documented := documentedRefusals()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		want, found := documented[a.Protocol]
		check.Require(t, found, "add what the vendor's pages say of refused logins and tokens to documentedRefusals()")
		wantBusiness := func(what string, status int, body string, want refusal) {
			t.Helper()
			check.True(t, status == want.status && strings.Contains(body, want.text),
				"%s: want %d %s\n got %d %s", what, want.status, want.text, status, body)
		}
		refused := func(what, token string, want refusal) {
			t.Helper()
			status, body, accepted := b.business(a, token)
			wantBusiness(what, status, body, want)
			check.True(t, !accepted && !b.TokenAlive(token), "%s is accepted: %t; TokenAlive says %t", what, accepted, b.TokenAlive(token))
		}
		got := b.login(withWrongSecret(a))
		wantBusiness("a wrong password", got.status, got.body, want.password)
		killed, alsoKilled := b.token(a), b.token(a)
		check.Equal(t, b.KillTokens(a.Protocol, a.Name()), 2, "tokens killed")
		refused("a killed token", killed, want.killed)
		refused("another killed token", alsoKilled, want.killed)
		live := b.token(a)
		if status, body, accepted := b.business(a, live); !accepted || status != http.StatusOK || !b.TokenAlive(live) {
			t.Errorf("the live token: %d %s, accepted %t", status, body, accepted)
		}
		b.clock.Advance(24 * time.Hour)
		refused("an expired token", live, want.expired)
		refused("an unknown token", "x", want.unknown)
		c := b.Counters().Of(a.Protocol, a.Name())
		total := b.Counters()
		check.True(t, total.BusinessOK == 1 && total.BusinessRefused == 4 && c.BusinessOK == 1 && c.BusinessRefused == 3,
			"counters %+v, of the account %+v", total, c)
	})
}

func TestBusinessCall_OtherProtocolRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, account(simulator.FirstVision, nil))
	for _, from := range simulator.Protocols() {
		token := b.token(account(from, nil))
		for _, to := range simulator.Protocols() {
			_, body, accepted := b.business(account(to, nil), token)
			check.True(t, accepted == (from == to), "a token of %s at %s: %s", from, to, body)
		}
	}
}

func TestCallBusinessErrors(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if _, _, _, err := simulator.CallBusiness(t.Context(), b.url, nil, "rest", "x", ""); err == nil {
		t.Error("an unknown protocol should be an error")
	}
	if _, _, _, err := simulator.CallBusiness(t.Context(), "http://127.0.0.1:0", nil, simulator.JWT, "x", ""); err == nil {
		t.Error("a dead address should be an error")
	}
	if _, _, _, err := simulator.CallBusiness(t.Context(), ":", nil, simulator.JWT, "x", ""); err == nil {
		t.Error("a broken address should be an error")
	}
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultCut, On: simulator.OnBusiness})
	_, _, accepted, err := simulator.CallBusiness(t.Context(), b.url+"/", b.client, simulator.JWT, "x", "")
	check.True(t, err != nil && !accepted, "a cut response should be an error")
}

func TestJWTBusinessHeader(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	token := b.token(a)
	_, refresh := b.ksaLogin(a)
	tests := []struct{ name, header, want string }{
		{"none", "", "Authentication credentials were not provided."},
		{"Bearer", "Bearer " + token, "Authentication credentials were not provided."},
		{"no token", "JWT", "Invalid Authorization header. No credentials provided."},
		{"spaces", "JWT a b", "Invalid Authorization header. Credentials string should not contain spaces."},
		{"refresh token", "JWT " + refresh, "Incorrect authentication credentials."},
		{"invented", "JWT x.y.z", "Error decoding signature."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := b.call(http.MethodPost, "/api/v1/einvoice/", `{}`, "Authorization", test.header)
			wantResponse(t, got, http.StatusUnauthorized, toJSON(map[string]string{"detail": test.want}))
			check.Equal(t, got.header.Get("WWW-Authenticate"), `JWT realm="api"`, "the header in %v", got.header)
		})
	}
	got := b.call(http.MethodPost, "/api/v1/einvoice/", `{}`, "Authorization", "jwt "+token)
	var envelope map[string]map[string]any
	got.json(t, &envelope)
	if results := envelope["results"]; got.status != 200 || results["code"] != 204.0 || results["status"] != "Failed" {
		t.Errorf("a business failure: got %d %s", got.status, got.body)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		token := b.token(a)
		// The clock stands half a second after a whole one, and the vendors count in whole seconds.
		b.clock.Advance(simulator.Logins(a.Protocol)[0].TokenTTL - 501*time.Millisecond)
		check.True(t, b.TokenAlive(token), "dead too early")
		b.clock.Advance(time.Millisecond)
		check.True(t, !b.TokenAlive(token), "alive too long")
	})
}

func TestSingleSession(t *testing.T) {
	t.Parallel()
	for _, single := range []bool{true, false} {
		forEachProtocol(t, func(a *simulator.Account) { a.SingleSession = single }, func(t *testing.T, b *bed, a simulator.Account) {
			first := b.token(a)
			b.login(withWrongSecret(a))
			check.True(t, b.TokenAlive(first), "a refused login killed the token")
			second := b.token(a)
			check.True(t, b.TokenAlive(first) != single && b.TokenAlive(second),
				"single session %t: first alive %t, second alive %t", single, b.TokenAlive(first), b.TokenAlive(second))
		})
	}
}

func TestSingleSession_KillsRefreshTokens(t *testing.T) {
	t.Parallel()
	a := account(simulator.JWT, func(a *simulator.Account) { a.SingleSession = true })
	b := newBed(t, a)
	_, refresh := b.ksaLogin(a)
	access, _ := b.ksaLogin(a)
	wantResponse(t, b.refresh(refresh), 206, `{"error":"Passing Incorrect/Invalid token"}`)
	check.True(t, b.TokenAlive(access), "the new token died")
}

func TestSetAccount_ChangesPassword(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		token := b.token(a)
		changed := a
		changed.Password, changed.ClientSecret = "new", "new"
		b.SetAccount(changed)
		check.Equal(t, b.tokenIn(b.login(a)), "", "the old password still works")
		b.token(changed)
		check.True(t, b.TokenAlive(token), "the token should outlive the password")
	})
}

func TestKillTokens(t *testing.T) {
	t.Parallel()
	other := account(simulator.JWT, func(a *simulator.Account) { a.Username = "other" })
	b := newBed(t, other)
	mine, _ := b.ksaLogin(account(simulator.JWT, nil))
	others := b.token(other)
	oauth := b.token(account(simulator.OAuth, nil))
	check.Equal(t, b.KillTokens(simulator.JWT, "nobody"), 0, "nobody: killed")
	if n := b.KillTokens(simulator.JWT, "other"); n != 1 || b.TokenAlive(others) || !b.TokenAlive(mine) {
		t.Errorf("other: killed %d", n)
	}
	if n := b.KillTokens(simulator.JWT, ""); n != 1 || b.TokenAlive(mine) || !b.TokenAlive(oauth) {
		t.Errorf("jwt: killed %d", n)
	}
	if n := b.KillTokens("", ""); n != 1 || b.TokenAlive(oauth) {
		t.Errorf("all: killed %d", n)
	}
}

func TestClockOffset(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		b.SetClockOffset(-10 * time.Minute)
		wrong := b.clock.Now().Add(-10 * time.Minute)
		got := b.login(a)
		check.Equal(t, got.header.Get("Date"), wrong.Format(http.TimeFormat), "the Date")
		token := b.tokenIn(got)
		if strings.Count(token, ".") == 2 { // the others tell nothing
			claims, _ := b.verify(token)
			check.Equal(t, number(t, claims, "exp"), wrong.Add(simulator.Logins(a.Protocol)[0].TokenTTL).Unix(), "exp")
			check.True(t, claims["orig_iat"] == nil || number(t, claims, "orig_iat") == wrong.Unix(),
				"orig_iat: want %d, got %v", wrong.Unix(), claims["orig_iat"])
		}
		check.True(t, b.TokenAlive(token), "the token should live by the wrong clock")
		b.SetClockOffset(24 * time.Hour)
		check.True(t, !b.TokenAlive(token), "the token should be dead by a clock a day ahead")
		b.SetClockOffset(0)
		check.True(t, b.TokenAlive(token), "the token should live by the right clock")
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := newBed(t, account(simulator.FirstVision, nil))
	var group sync.WaitGroup
	for _, p := range simulator.Protocols() {
		a := account(p, func(a *simulator.Account) { a.SingleSession = true })
		for range 4 {
			group.Go(func() {
				for range 3 {
					b.SetAccount(a)
					token := b.tokenIn(b.login(a))
					b.business(a, token)
					b.TokenAlive(token)
					b.SetFault(p, simulator.Fault{})
					b.SetClockOffset(time.Second)
					b.KillTokens(p, a.Name())
					b.Counters()
				}
			})
		}
	}
	group.Wait()
	want := 4 * 3 * len(simulator.Protocols())
	c := b.Counters()
	check.True(t, c.Logins == want && c.LoginsOK == want && c.BusinessOK+c.BusinessRefused == want, "counters %+v", c)
}

func TestCounters(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		b.token(a)
		b.login(withWrongSecret(a))
		b.SetFault(a.Protocol, simulator.Fault{Kind: simulator.FaultUnavailable})
		b.login(a)
		unknown := a
		unknown.Username, unknown.ClientID = "nobody", "nobody"
		b.login(unknown)
		mine := simulator.Counts{Logins: 3, LoginsOK: 1, LoginsRefused: 1, Faulted: 1}
		total := mine
		total.Logins, total.Faulted = 4, 2
		got := b.Counters()
		check.True(t, got.Counts == total && got.Of(a.Protocol, a.Name()) == mine && len(got.Accounts) == 1,
			"want %+v and %+v\n got %+v", total, mine, got)
		b.ResetCounters()
		if got := b.Counters(); got.Counts != (simulator.Counts{}) || len(got.Accounts) != 0 {
			t.Errorf("after a reset: %+v", got)
		}
	})
}

func TestTokenOwner(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		check.Equal(t, b.TokenOwner(b.token(a)), string(a.Protocol)+"/"+a.Name(), "the owner of a token")
		check.Equal(t, b.TokenOwner("made-up"), "", "the owner of a token that was never issued")
	})
}

// TestFullLogin: of several ways to log in it is the one with a refresh token, and else the usual one.
func TestFullLogin(t *testing.T) {
	t.Parallel()
	check.Equal(t, simulator.FullLogin(simulator.JWT).RefreshPath, refreshPath, "jwt: the refresh endpoint")
	got, usual := simulator.FullLogin(simulator.SOAP), simulator.Logins(simulator.SOAP)[0]
	check.True(t, got.Path == usual.Path && got.RefreshPath == "", "soap: the login is %q, want %q", got.Path, usual.Path)
}

func TestTokens_DeadOnesEvicted(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.OAuth, nil)
	b.SweepTokensAt(4)
	for range 3 {
		b.token(a)
	}
	b.clock.Advance(time.Hour)
	live := b.token(a)
	n := b.TokenCount()
	check.True(t, n == 1 && b.TokenAlive(live), "want only the live token, got %d", n)
}
