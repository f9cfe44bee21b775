// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2030, time.May, 17, 9, 30, 15, 500_000_000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type bed struct {
	*simulator.Simulator
	t      *testing.T
	clock  *clock
	url    string
	client *http.Client

	mu     sync.Mutex
	issued map[string]bool // access tokens
}

func (b *bed) note(what simulator.Secret, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if what == simulator.AccessToken {
		b.issued[value] = true
	}
}

// account gives one invented account of a protocol, changed as a test needs it.
func account(p simulator.Protocol, change func(*simulator.Account)) simulator.Account {
	for _, a := range simulator.DemoAccounts() {
		if a.Protocol != p {
			continue
		}
		if change != nil {
			change(&a)
		}
		return a
	}
	return simulator.Account{Protocol: p}
}

// newBed serves the demo accounts, with those given in their places. That of firstvision has to be given: its key costs time.
func newBed(t *testing.T, accounts ...simulator.Account) *bed {
	t.Helper()
	c := newClock()
	demo := slices.DeleteFunc(simulator.DemoAccounts(), func(a simulator.Account) bool {
		return a.Protocol == simulator.FirstVision
	})
	b := &bed{t: t, clock: c, issued: map[string]bool{}}
	sim := check.Value(simulator.New(simulator.Options{Accounts: demo, Now: c.Now, OnSecret: b.note}))(t)
	b.Simulator = sim
	for _, a := range accounts {
		sim.SetAccount(a)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.url, b.client = server.URL, client
	return b
}

type response struct {
	status int
	header http.Header
	body   string
}

func (a response) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
}

func (a response) member(t *testing.T, name string) string {
	t.Helper()
	var members map[string]any
	a.json(t, &members)
	text, _ := members[name].(string)
	return text
}

// call sends a request and fails the test where there is no response. Headers are pairs of name and value.
func (b *bed) call(method, path, body string, header ...string) response {
	b.t.Helper()
	got := check.Value(b.try(method, path, body, header...))(b.t)
	return got
}

func (b *bed) try(method, path, body string, header ...string) (response, error) {
	b.t.Helper()
	request := check.Value(http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body)))(b.t)
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	resp, err := b.client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(data)}, err
}

const (
	contentType = "Content-Type"

	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
	typeXML  = "text/xml; charset=utf-8"
)

// loginRequest is the usual login of an account. Headers are pairs of name and value, Content-Type first.
func loginRequest(a simulator.Account) (path, body string, header []string) {
	switch a.Protocol {
	case simulator.JWT:
		values := map[string]string{"username": a.Username, "password": a.Password}
		return "/api/v1/token-auth/", toJSON(values), []string{contentType, typeJSON}
	case simulator.OAuth:
		return "/oauth/access_token", toJSON(oauthValues(a)), []string{contentType, typeJSON}
	case simulator.SOAP:
		body := soapLogin(a.Username, a.Password, a.ClientID, a.ClientSecret, "password")
		return "/api.einvoice.php", body, []string{contentType, typeXML}
	case simulator.FirstVision:
		values := map[string]string{
			"client_id": a.ClientID, "client_secret": a.ClientSecret, "scope": "cards", "grant_type": "client_credentials",
		}
		return "/v1/api/oauth/token", toJSON(values), []string{contentType, typeJSON}
	default: // all credentials in JSON
		encoded, _ := json.Marshal(a)
		return simulator.Logins(a.Protocol)[0].Path, string(encoded), []string{contentType, typeJSON}
	}
}

// withWrongSecret gives the account with another password, or another client secret where it has no password.
func withWrongSecret(a simulator.Account) simulator.Account {
	if a.Password != "" {
		a.Password = "x"
		return a
	}
	a.ClientSecret = "x"
	return a
}

func toJSON(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func toForm(values map[string]string) string {
	form := url.Values{}
	for name, value := range values {
		form.Set(name, value)
	}
	return form.Encode()
}

func (b *bed) login(a simulator.Account) response {
	b.t.Helper()
	path, body, header := loginRequest(a)
	return b.call(http.MethodPost, path, body, header...)
}

func (b *bed) token(a simulator.Account) string {
	b.t.Helper()
	got := b.login(a)
	token := b.tokenIn(got)
	check.Require(b.t, got.status == http.StatusOK && token != "", "login as %s: %d %s", a.Name(), got.status, got.body)
	return token
}

// tokenIn finds the access token in a login's response, under whatever name, or nothing.
func (b *bed) tokenIn(a response) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for token := range b.issued {
		if strings.Contains(a.body, token) {
			return token
		}
	}
	return ""
}

func (b *bed) business(a simulator.Account, token string) (status int, body string, accepted bool) {
	b.t.Helper()
	status, data, accepted, err := simulator.CallBusiness(b.t.Context(), b.url, b.client, a.Protocol, token, a.ClientID)
	check.NoError(b.t, err)
	return status, string(data), accepted
}

// verify checks the signature of a jwt or firstvision token, and nothing else, and gives its claims.
func (b *bed) verify(token string) (claims jwt.MapClaims, header map[string]any) {
	b.t.Helper()
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	parsed := check.Value(parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		if t.Method == jwt.SigningMethodRS256 {
			return simulator.RSAKey(b.t), nil
		}
		return b.HMACKey(), nil
	}))(b.t)
	return claims, parsed.Header
}

func number(t *testing.T, claims jwt.MapClaims, name string) int64 {
	t.Helper()
	n, ok := claims[name].(json.Number)
	check.Require(t, ok, "claim %s: want a number, got %v", name, claims[name])
	return check.Value(n.Int64())(t)
}

func wantNames[V any](t *testing.T, m map[string]V, want ...string) {
	t.Helper()
	if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("members: want %v, got %v", want, got)
	}
}

func wantResponse(t *testing.T, got response, status int, body string) {
	t.Helper()
	check.True(t, got.status == status && got.body == body, "want %d %s\n got %d %s", status, body, got.status, got.body)
}
