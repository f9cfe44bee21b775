// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func (b *bed) control(order, body string) response {
	b.t.Helper()
	return b.call(http.MethodPost, "/_simulator/"+order, body)
}

func TestControl(t *testing.T) {
	t.Parallel()
	const ok = `{"ok":true}`
	b, a := newBed(t), account(simulator.JWT, nil)

	for _, path := range []string{"/_simulator/", "/_simulator"} {
		if got := b.call(http.MethodGet, path, ""); got.status != 200 || !strings.Contains(got.body, "This is a simulator.") {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}

	const throttled = `{"protocol":"jwt","kind":"throttled","retry_after":"30s","remaining":1,"on":"login"}`
	wantResponse(t, b.control("fault", throttled), 200, ok)
	if got := b.login(a); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "30" {
		t.Errorf("got %d %v", got.status, got.header)
	}
	token := b.token(a)
	wantResponse(t, b.control("fault", `{"kind":"empty"}`), 200, ok)
	wantResponse(t, b.control("fault", `{}`), 200, ok)
	b.token(a)

	wantResponse(t, b.call(http.MethodGet, "/_simulator/alive", "", "X-Simulator-Token", token), 200, `{"alive":true}`)
	wantResponse(t, b.control("clock", `{"offset":"24h"}`), 200, `{"time":"2030-05-18T09:30:15Z"}`)
	wantResponse(t, b.call(http.MethodGet, "/_simulator/alive", "", "X-Simulator-Token", token), 200, `{"alive":false}`)
	wantResponse(t, b.control("clock", `{"offset":"0s"}`), 200, `{"time":"2030-05-17T09:30:15Z"}`)
	wantResponse(t, b.control("kill", `{"protocol":"jwt","user":"`+a.Username+`"}`), 200, `{"killed":2}`)
	check.True(t, !b.TokenAlive(token), "the token lives")

	wantResponse(t, b.control("account", `{"protocol":"jwt","username":"new","password":"pw","token_ttl":"1h"}`), 200, ok)
	claims, _ := b.verify(b.token(simulator.Account{Protocol: simulator.JWT, Username: "new", Password: "pw"}))
	check.Equal(t, number(t, claims, "exp")-number(t, claims, "orig_iat"), 3600, "life")

	var counters simulator.Counters
	b.call(http.MethodGet, "/_simulator/counters", "").json(t, &counters)
	check.True(t, counters.Logins == 4 && counters.Faulted == 1 && counters.Of(simulator.JWT, "new").LoginsOK == 1,
		"counters %+v", counters)
	wantResponse(t, b.control("reset", ""), 200, ok)
	c := b.Counters()
	check.True(t, c.Counts == (simulator.Counts{}), "counters %+v", c)
}

func TestControl_RedirectStaysHere(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, location := range []string{"/elsewhere?x=1", "http://127.0.0.1:8270/", "https://[::1]:1/", "http://localhost/", "HTTP://[::1]"} {
		got := b.control("fault", toJSON(map[string]string{"kind": "redirect", "redirect_to": location}))
		check.Equal(t, got.status, http.StatusOK, "the status of an order to redirect to %s", location)
		got = b.call(http.MethodPost, "/oauth/access_token", "")
		check.True(t, got.status == http.StatusFound && got.header.Get("Location") == location, "got %d %v", got.status, got.header)
	}
}

func TestControl_InvalidRequestsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	tests := []struct{ order, body, want string }{
		{"fault", ``, "it is empty"},
		{"fault", `{`, "it is not valid JSON: it ends too early"},
		{"fault", `{} {}`, "there is more than one JSON value"},
		{"fault", `{"kinds":"down"}`, `unknown field "kinds"`},
		{"fault", `{"kind":"sulking"}`,
			`field "kind": want one of [down slow throttled unavailable html cut refuse redirect garbage empty stall quota], or nothing to clear`},
		{"fault", `{"kind":"down","protocol":"rest"}`,
			`field "protocol": want one of ` + fmt.Sprint(simulator.Protocols()) + `, or nothing for all`},
		{"fault", `{"kind":"slow"}`, `field "delay": required for kind slow`},
		{"fault", `{"kind":"slow","delay":"soon"}`, `field "delay": want a Go duration such as "90s" or "1h30m"`},
		{"fault", `{"kind":"down","delay":"-1s"}`, `field "delay": must not be negative`},
		{"fault", `{"kind":"throttled","retry_after":5}`, `field "retry_after": want a JSON string, got a JSON number`},
		{"fault", `{"kind":"throttled","retry_after":"5"}`, `field "retry_after": want a Go duration such as "90s" or "1h30m"`},
		{"fault", `{"kind":"throttled","retry_after":"-5s"}`, `field "retry_after": must not be negative`},
		{"fault", `{"protocol":"jwt","remaining":2}`,
			`field "kind": required; {} alone clears all faults, and {"protocol":"..."} those of a protocol`},
		{"fault", `{"kind":"down","retry_after":"5s"}`, `field "retry_after": for kinds throttled and unavailable only`},
		{"fault", `{"kind":"down","redirect_to":"/x"}`, `field "redirect_to": for kind redirect only`},
		{"fault", `{"kind":"down","remaining":-1}`, `field "remaining": must not be negative`},
		{"fault", `{"kind":"down","remaining":1.5}`, `field "remaining": want a whole number, got a JSON number 1.5`},
		{"fault", `{"kind":"down","on":"monday"}`,
			`field "on": want one of [login refresh business], or nothing for login and refresh`},
		{"clock", `{}`, `field "offset": required; "0s" sets the clock right`},
		{"clock", `{"offset":"late"}`, `field "offset": want a Go duration such as "90s" or "1h30m"`},
		{"clock", `[]`, `want a JSON object, got a JSON array`},
		{"account", `{"protocol":"jwt","username":"u"}`, `field "password": required for protocol jwt`},
		{"account", `{"protocol":"jwt","token_ttl":"x"}`, `field "token_ttl": want a Go duration such as "90s" or "1h30m"`},
		{"account", `{"protocol":"jwt","token_ttl":"500ms"}`, `field "token_ttl": want whole seconds`},
		{"account", `{"protocol":"jwt","secret":"x"}`, `unknown field "secret"`},
		{"kill", `{"protocol":"rest"}`, `field "protocol": want one of ` + fmt.Sprint(simulator.Protocols()) + `, or nothing for all`},
		{"kill", `{"name":"x"}`, `unknown field "name"`},
	}
	for _, test := range tests {
		t.Run(test.order+" "+test.body, func(t *testing.T) {
			t.Parallel()
			wantResponse(t, b.control(test.order, test.body), http.StatusBadRequest, toJSON(map[string]string{"error": test.want}))
		})
	}
	want := toJSON(map[string]string{"error": `field "redirect_to": want a path such as "/elsewhere", ` +
		`or a URL of this machine such as "http://127.0.0.1:8270/elsewhere"`})
	for _, location := range []string{
		"", "elsewhere", "http://", "http:///x", "http://elsewhere.example/", "https://127.0.0.1.example/", "//elsewhere.example/",
		"/\\elsewhere.example/", "http://localhost@elsewhere.example/", "ftp://127.0.0.1/", "mailto:a@localhost", "http://127.0.0.1/\n",
	} {
		wantResponse(t, b.control("fault", toJSON(map[string]string{"kind": "redirect", "redirect_to": location})), 400, want)
	}
	alone := toJSON(map[string]string{"error": `header "X-Simulator-Token": required, with the access token alone`})
	wantResponse(t, b.call(http.MethodGet, "/_simulator/alive?token=x", ""), http.StatusBadRequest, alone)
	wantResponse(t, b.call(http.MethodGet, "/_simulator/alive", "", "X-Simulator-Token", "Bearer x"), http.StatusBadRequest, alone)
	got := b.call(http.MethodGet, "/_simulator/fault", "")
	check.True(t, got.status == http.StatusMethodNotAllowed && got.header.Get("Allow") == http.MethodPost,
		"GET: got %d %v", got.status, got.header)
	check.Equal(t, b.control("dance", "").status, http.StatusNotFound, "the status of an order that is not known")
}

func TestControl_LoopbackOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, remote, host string
		header             []string
		status             int
	}{
		{"loopback", "127.0.0.1:999", "127.0.0.1:8270", nil, 200},
		{"loopback 6", "[::1]:999", "[::1]:8270", nil, 200},
		{"mapped", "[::ffff:127.0.0.1]:999", "localhost", nil, 200},
		{"bare 6", "[::1]:999", "[::1]", nil, 200},
		{"other machine", "192.0.2.1:999", "127.0.0.1:8270", nil, 403},
		{"no address", "", "127.0.0.1:8270", nil, 403},
		{"rebound name", "127.0.0.1:999", "rebound.example:8270", nil, 403},
		{"web page", "127.0.0.1:999", "127.0.0.1:8270", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"old web page", "127.0.0.1:999", "127.0.0.1:8270", []string{"Origin", "https://page.example"}, 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sim := check.Value(simulator.New(simulator.Options{}))(t)
			request := httptest.NewRequest(http.MethodPost, "/_simulator/reset", nil)
			request.RemoteAddr, request.Host = test.remote, test.host
			if test.header != nil {
				request.Header.Set(test.header[0], test.header[1])
			}
			recorder := httptest.NewRecorder()
			sim.ServeHTTP(recorder, request)
			check.True(t, recorder.Code == test.status, "want %d, got %d %s", test.status, recorder.Code, recorder.Body)
		})
	}
}

func TestOnRequest(t *testing.T) {
	t.Parallel()
	seen := make(chan simulator.RequestInfo, 1) // a response is on its way only when its handler has ended
	a := account(simulator.JWT, nil)
	b := &bed{t: t, issued: map[string]bool{}}
	sim := check.Value(simulator.New(simulator.Options{
		Accounts: []simulator.Account{a}, OnRequest: func(info simulator.RequestInfo) { seen <- info }, OnSecret: b.note,
	}))(t)
	server := httptest.NewServer(sim)
	defer server.Close()
	b.Simulator, b.url, b.client = sim, server.URL, server.Client()
	next := func(want simulator.RequestInfo) {
		t.Helper()
		got := <-seen
		got.Duration = 0
		check.Equal(t, got, want, "what was read")
	}
	name := "jwt/" + a.Username
	token := b.token(a)
	next(simulator.RequestInfo{Method: "POST", Path: loginV1, Status: 200, Account: name})
	b.login(simulator.Account{Protocol: simulator.JWT, Username: "a-password-in-the-wrong-field", Password: "x"})
	next(simulator.RequestInfo{Method: "POST", Path: loginV1, Status: 206})
	b.business(a, token)
	next(simulator.RequestInfo{Method: "POST", Path: "/api/v1/einvoice/", Status: 200, Account: name})
	b.business(simulator.Account{Protocol: simulator.OAuth}, token) // another vendor's API: the log says whose token it is
	next(simulator.RequestInfo{Method: "GET", Path: "/commonapis/searchgstin", Status: 401, Account: name})
	b.call(http.MethodGet, "/"+token+"/x?access_token="+token, "")
	next(simulator.RequestInfo{Method: "GET", Path: "/…/x", Status: 404})
	sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
	path, body, header := loginRequest(a)
	_, err := b.try(http.MethodPost, path, body, header...)
	check.True(t, err != nil, "want no response")
	next(simulator.RequestInfo{Method: "POST", Path: loginV1, Status: 0, Account: name})
}
