// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestFault_EveryKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		fault         simulator.Fault
		status        int
		header, value string
		body          string // a pattern
	}{
		{"throttled", simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 1500 * time.Millisecond}, 429, "Retry-After", "2", ""},
		{"throttled, no word when", simulator.Fault{Kind: simulator.FaultThrottled}, 429, "Retry-After", "", ""},
		{"unavailable", simulator.Fault{Kind: simulator.FaultUnavailable}, 503, "Retry-After", "", ""},
		{"unavailable until", simulator.Fault{Kind: simulator.FaultUnavailable, RetryAfter: time.Minute}, 503, "Retry-After", "60", ""},
		{"html", simulator.Fault{Kind: simulator.FaultHTML}, 504, "Content-Type", "text/html; charset=utf-8", "^<html>"},
		{"redirect", simulator.Fault{Kind: simulator.FaultRedirect, RedirectTo: "http://elsewhere.example/"}, 302,
			"Location", "http://elsewhere.example/", ""},
		{"garbage", simulator.Fault{Kind: simulator.FaultGarbage}, 200, "Location", "", ""},
		{"empty", simulator.Fault{Kind: simulator.FaultEmpty}, 200, "Location", "", "^$"},
		{"unknown", simulator.Fault{Kind: "sulking"}, 500, "Location", "", `fault kind "sulking"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
				b.SetFault(a.Protocol, test.fault)
				got := b.login(a)
				check.Equal(t, got.status, test.status, "status")
				check.Equal(t, got.header.Get("Date"), b.clock.Now().Format(http.TimeFormat), "the Date")
				if value := got.header.Get(test.header); value != test.value {
					t.Errorf("%s: want %q, got %q", test.header, test.value, value)
				}
				if garbage := !utf8.ValidString(got.body); garbage != (test.name == "garbage") || !regexp.MustCompile(test.body).MatchString(got.body) {
					t.Errorf("body %q", got.body)
				}
				want := simulator.Counts{Logins: 1, Faulted: 1}
				c := b.Counters()
				check.True(t, c.Counts == want && c.Of(a.Protocol, a.Name()) == want, "counters %+v", c)
				b.SetFault(a.Protocol, simulator.Fault{})
				b.token(a)
			})
		})
	}
}

func TestFault_Refuse(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		want := b.login(withWrongSecret(a))
		b.ResetCounters()
		b.SetFault(a.Protocol, simulator.Fault{Kind: simulator.FaultRefuse})
		wantResponse(t, b.login(a), want.status, want.body)
		c := b.Counters()
		check.True(t, c.Counts == (simulator.Counts{Logins: 1, LoginsRefused: 1, Faulted: 1}), "counters %+v", c)
		b.SetFault(a.Protocol, simulator.Fault{})
		token := b.token(a)
		b.SetFault(a.Protocol, simulator.Fault{Kind: simulator.FaultRefuse, On: simulator.OnBusiness})
		_, body, accepted := b.business(a, token)
		check.True(t, !accepted, "the business call was accepted: %s", body)
		b.token(a) // logins are not hit
	})
}

func TestFault_OnRefresh(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	access, refresh := b.ksaLogin(a)
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultUnavailable, Remaining: 1})
	check.Equal(t, b.refresh(refresh).status, http.StatusServiceUnavailable, "a fault hits refreshes too, unless set otherwise")
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse, On: simulator.OnRefresh})
	wantResponse(t, b.refresh(refresh), 206, `{"error":"Passing Incorrect/Invalid token"}`)
	b.token(a)
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnLogin})
	check.True(t, b.TokenAlive(access), "a refused refresh killed the pair")
	got := b.refresh(refresh)
	check.True(t, got.status == http.StatusOK && !b.TokenAlive(access), "got %d", got.status)
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: "nothing"})
	b.token(a)
}

func TestFault_Down(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, nil, func(t *testing.T, b *bed, a simulator.Account) {
		b.SetFault(a.Protocol, simulator.Fault{Kind: simulator.FaultDown})
		path, body, header := loginRequest(a)
		got, err := b.try(http.MethodPost, path, body, header...)
		check.True(t, errors.Is(err, io.EOF), "want no response at all, got %+v %v", got, err)
		// The simulator still serves others.
		check.Equal(t, b.call(http.MethodGet, "/_simulator/counters", "").status, http.StatusOK, "status")
	})
}

func TestFault_DownWithoutConnection(t *testing.T) {
	t.Parallel()
	sim := check.Value(simulator.New(simulator.Options{}))(t)
	sim.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
	recorder := httptest.NewRecorder()
	sim.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, loginV1, strings.NewReader("{}")))
	check.True(t, recorder.Code == http.StatusServiceUnavailable && strings.Contains(recorder.Body.String(), "cannot be dropped"),
		"got %d %s", recorder.Code, recorder.Body)
}

func TestFault_Cut(t *testing.T) {
	t.Parallel()
	forEachProtocol(t, func(a *simulator.Account) { a.SingleSession = true }, func(t *testing.T, b *bed, a simulator.Account) {
		token := b.token(a)
		b.SetFault(a.Protocol, simulator.Fault{Kind: simulator.FaultCut, Remaining: 1})
		path, body, header := loginRequest(a)
		got, err := b.try(http.MethodPost, path, body, header...)
		check.True(t, errors.Is(err, io.ErrUnexpectedEOF) && got.status == http.StatusOK && got.body != "",
			"want half a response, got %+v %v", got, err)
		// Upstream did log in: that is what makes a cut response worse than none.
		c := b.Counters()
		check.True(t, c.LoginsOK == 2 && c.Faulted == 1, "counters %+v", c)
		check.True(t, !b.TokenAlive(token), "the login whose response was lost should have killed the older token")
		b.token(a)
	})
}

func TestFault_Remaining(t *testing.T) {
	t.Parallel()
	b := newBed(t, account(simulator.FirstVision, nil))
	jwt, oauth := account(simulator.JWT, nil), account(simulator.OAuth, nil)
	b.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultEmpty, Remaining: 2})
	for range 2 {
		check.Equal(t, b.tokenIn(b.login(jwt)), "", "the fault should hit")
		b.token(oauth)
	}
	b.token(jwt)

	b.SetFault("", simulator.Fault{Kind: simulator.FaultEmpty, Remaining: 2})
	check.True(t, b.tokenIn(b.login(jwt)) == "" && b.tokenIn(b.login(oauth)) == "", "the fault should hit all protocols")
	b.token(jwt)
	b.token(oauth)

	b.SetFault("", simulator.Fault{Kind: simulator.FaultEmpty})
	for _, p := range simulator.Protocols() {
		check.Equal(t, b.tokenIn(b.login(account(p, nil))), "", "the fault should hit %s", p)
	}
	b.SetFault("", simulator.Fault{})
	for _, p := range simulator.Protocols() {
		b.token(account(p, nil))
	}
}

// bubbleServer serves a simulator inside a synctest bubble, over connections that synctest understands.
func bubbleServer(t *testing.T, sim http.Handler) *http.Client {
	t.Helper()
	network := memorynet.New()
	server := &http.Server{Handler: sim}
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(network) })
	transport := &http.Transport{DialContext: network.Dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		group.Wait()
	})
	return &http.Client{Transport: transport}
}

func TestFault_Slow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := account(simulator.JWT, nil)
		b := &bed{t: t, url: "http://simulator", issued: map[string]bool{}}
		sim := check.Value(simulator.New(simulator.Options{Accounts: []simulator.Account{a}, OnSecret: b.note}))(t)
		b.Simulator, b.client = sim, bubbleServer(t, sim)
		sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		began := time.Now()
		token := b.token(a)
		check.Equal(t, time.Since(began), time.Hour, "the login took")
		claims, _ := b.verify(token)
		check.Equal(t, number(t, claims, "orig_iat"), time.Now().Unix(), "the token should be issued after the wait")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, body, _ := loginRequest(a)
		request := check.Value(http.NewRequestWithContext(ctx, http.MethodPost, b.url+loginV1, strings.NewReader(body)))(t)
		request.Header.Set("Content-Type", typeJSON)
		began = time.Now()
		response, err := b.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		synctest.Wait()
		check.True(t, errors.Is(err, context.DeadlineExceeded) && time.Since(began) == time.Minute,
			"got %v after %s", err, time.Since(began))
		want := simulator.Counts{Logins: 2, LoginsOK: 1, Faulted: 2}
		c := sim.Counters()
		check.True(t, c.Counts == want, "want %+v, got %+v", want, c)
	})
}

func TestFault_DelayWithEveryKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := check.Value(simulator.New(simulator.Options{}))(t)
		sim.SetFault("", simulator.Fault{Kind: simulator.FaultUnavailable, Delay: 5 * time.Second})
		began := time.Now()
		recorder := httptest.NewRecorder()
		sim.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/oauth/access_token", nil))
		check.True(t, recorder.Code == http.StatusServiceUnavailable && time.Since(began) == 5*time.Second,
			"got %d after %s", recorder.Code, time.Since(began))
	})
}
