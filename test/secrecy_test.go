// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// logBuffer keeps every log line.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged is a mount with the fixture's config and role, and a logBuffer of all levels.
func (f fixture) logged(t *testing.T) (*testMount, *logBuffer) {
	t.Helper()
	book := &logBuffer{}
	w := newTestMountWith(t, func(w *testMount) {
		w.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: book, JSONFormat: true})
	}, f.account)
	w.mount(f)
	return w, book
}

// awkward is the fixture with secrets that do harm where they are taken for a format, a pattern, a URL or a template.
func (f fixture) awkward() fixture {
	return f.withSecrets(func(field string) string { return "%s%d%v%!x-" + field + "-$1-(.*)[a-z]+/&amp;?q=1{{.}}" })
}

// withSecrets is the fixture with other secrets.
func (f fixture) withSecrets(of func(field string) string) fixture {
	f.config = maps.Clone(f.config)
	for _, field := range secretFields() {
		if _, ok := f.config[field]; !ok {
			continue
		}
		secret := of(field)
		f.config[field] = secret
		f.account = withCredential(f.account, field, secret)
	}
	return f
}

// withCredential changes a credential of an account, by the name of the config's field. After an error the login is refused.
func withCredential(a simulator.Account, name, value string) simulator.Account {
	fields := map[string]any{}
	encoded, _ := json.Marshal(a)
	_ = json.Unmarshal(encoded, &fields)
	fields[name] = value
	encoded, _ = json.Marshal(fields)
	_ = json.Unmarshal(encoded, &a)
	return a
}

// disguises are the forms in which a secret travels, and in which it would be as useful to a thief.
func disguises(f fixture) []string {
	var all []string
	for _, secret := range append(f.secrets(), canaries(f.wrong())...) {
		encoded, _ := json.Marshal(secret) // a string can always be encoded
		all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(encoded), `"`),
			base64.StdEncoding.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(f.account.ClientID+":"+secret)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wantSealed checks that nothing secret is stored outside of the sealed prefixes, nor in a key.
func (w *testMount) wantSealed(secrets []string) {
	w.t.Helper()
	for key, value := range w.stored() {
		w.hides(key, secrets...)
		if !strings.HasPrefix(key, "config/") && !strings.HasPrefix(key, "token/") {
			w.hides(value, secrets...)
		}
	}
	for _, access := range w.Storage.Accesses() {
		w.hides(access, secrets...)
	}
}

// No secret is logged, said, counted or stored unsealed, and each log line is whole.
func TestSecrecy_NothingLoggedOrReturned(t *testing.T) {
	eachPair(t, variants(), []string{"plain", "awkward", "short"}, func(t *testing.T, f fixture, kind string) {
		switch kind {
		case "awkward":
			f = f.awkward()
		case "short": // which is said of a key
			f = f.withSecrets(func(field string) string { return "canary-" + field })
		}
		w, book := f.logged(t)
		said := append(w.collectMessages(f), w.scrape().text)
		secrets := append(disguises(f), w.issued()...)
		lines := strings.Split(strings.TrimSpace(book.String()), "\n")
		check.Require(t, len(lines) >= 10 && len(said) >= 100 && len(secrets) >= 10,
			"%d log lines, %d words said and %d secrets are too few to prove anything", len(lines), len(said), len(secrets))
		for _, line := range lines {
			check.True(t, json.Valid([]byte(line)) && !strings.Contains(line, "EXTRA_VALUE"), "no JSON, or a nameless value: %s", line)
		}
		w.wantSealed(secrets)
		for _, line := range append(lines, said...) {
			w.hides(line, secrets...)
			for _, verb := range []string{"%!", "(MISSING)", "(EXTRA", "(NOVERB)"} {
				check.True(t, !strings.Contains(line, verb), "a secret or a message was taken for a format: %q", line)
			}
		}
	})
}

// An access token is stored only while it is served: no later than the token that follows it.
func TestSecrecy_SupersededTokenNotStored(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for name, happens := range map[string]func(){
			"a rotation":     func() { w.mustRotate() },
			"a revocation":   func() { w.revoke("") },
			"other settings": func() { w.write("config/gst", branch("7", "verify_connection", false)) },
			"a deletion":     func() { w.remove("config/gst"); w.mount(jwtV1()) },
		} {
			a := w.token("app")
			check.Contains(t, w.stored()["token/gst"], a.access)
			advance(time.Minute)
			happens()
			w.token("app")
			synctest.Wait()
			for key, value := range w.stored() {
				check.True(t, !strings.Contains(value, a.access), "after %s the former token is stored in %s", name, key)
			}
		}
	})
}

// plainToken has not the form of a token: only by the key that holds it can it be told from any other word.
const plainToken = "quietmeadowandsilverlantern"

// loudUpstream responds with an error beside the tokens that it has just issued. One of them, which pick takes from the response's
// long words, is a plainToken instead, and the error repeats it.
func loudUpstream(sim *simulator.Simulator, status int, pick func(words []string) string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		sim.ServeHTTP(recorded, r)
		body, said := recorded.Body.String(), "a session is still open"
		if token := pick(regexp.MustCompile(`[\w.~+/-]{20,}`).FindAllString(body, -1)); token != "" {
			body, said = strings.ReplaceAll(body, token, plainToken), "session "+plainToken+" is still open"
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(body), &object); err == nil {
			object["error"] = said
			encoded, _ := json.Marshal(object) // it was JSON before
			body = string(encoded)
		} else {
			body = strings.Replace(body, "<error_description", "<error>"+said+"</error><error_description", 1)
		}
		rw.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	}
}

// A text that repeats a token is left out, under whatever key it comes (upstream.Spec.TokenKeys, RefreshKeys); any other is passed
// on. The tokens of a response are those of its words that another login does not give.
func TestSecrecy_TokenInAnErrorIsNotPassedOn(t *testing.T) {
	eachPair(t, fixtures(), []int{200, 206, 400, 401, 500}, func(t *testing.T, f fixture, status int) {
		refused := func(pick func(words []string) string) (message string, sim *simulator.Simulator) {
			w := newTestMountWith(t, func(w *testMount) { w.Upstream.Replace(loudUpstream(w.Simulator, status, pick)) }, f.account)
			return w.refusal(logical.UpdateOperation, "config/gst", f.config).message, w.Simulator
		}
		var other, tokens []string
		message, _ := refused(func(words []string) string {
			other = words
			return ""
		})
		check.True(t, strings.Contains(message, "a session is still open"), "the message does not say what the upstream said: %s", message)
		for n := 0; n == 0 || n < len(tokens); n++ {
			message, sim := refused(func(words []string) string {
				tokens = slices.DeleteFunc(words, func(word string) bool { return slices.Contains(other, word) })
				return slices.Concat(tokens, []string{""})[n]
			})
			check.Require(t, len(tokens) > 0, "the simulator issued no token")
			check.Require(t, sim.TokenOwner(tokens[n]) != "", "the simulator does not know the token %s: pass it to recordLogin", tokens[n])
			check.Require(t, !strings.Contains(message, plainToken) && !strings.Contains(message, "is still open"),
				"the message repeats a text with the token that came in place of %s (declare its key in TokenKeys or RefreshKeys of spec()): %s",
				tokens[n], message)
			want := fmt.Sprintf("(HTTP %d)", status)
			check.True(t, strings.Contains(message, want), "the message does not say %s: %s", want, message)
		}
	})
}

// collectMessages lets everything happen to the config "gst" that can, and gives all that is said but the tokens of token/.
func (w *testMount) collectMessages(f fixture) []string {
	w.t.Helper()
	var said []string
	send := func(op logical.Operation, path string, data map[string]any) {
		resp, err := w.do(w.t.Context(), op, path, data)
		if err != nil {
			said = append(said, err.Error(), fmt.Sprintf("%#v", err))
		}
		if resp == nil {
			return
		}
		said = append(said, resp.Warnings...)
		if path == "token/app" && !resp.IsError() {
			return
		}
		encoded, err := json.Marshal(resp.Data)
		check.NoError(w.t, err)
		said = append(said, string(encoded))
	}
	readAll := func() {
		if r, err := w.do(w.t.Context(), logical.ReadOperation, "token/app", nil); err == nil {
			send(logical.UpdateOperation, "token/app", map[string]any{"rejected_token_id": r.Data["token_id"]})
		}
		for _, path := range []string{"config/gst", "role/app", "status/gst", "ledger/gst", "token/app"} {
			send(logical.ReadOperation, path, nil)
		}
		for _, path := range []string{"config/", "role/", "status/", "ledger/"} {
			send(logical.ListOperation, path, nil)
		}
	}
	readAll()
	send(logical.UpdateOperation, "config/second", with(f.config, "verify_connection", false)) // what is said of new settings
	send(logical.DeleteOperation, "config/second", nil)
	send(logical.UpdateOperation, "config/gst", f.wrong())
	send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "Host=x"))
	for _, kind := range simulator.FaultKinds() {
		w.Simulator.SetFault("", simulator.Fault{Kind: kind, Delay: time.Second, RedirectTo: upstreamURL + "/elsewhere/"})
		send(logical.UpdateOperation, "rotate/gst", nil)
		readAll()
		send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "X-Try="+string(kind)))
		w.Simulator.SetFault("", simulator.Fault{})
		advance(2 * time.Minute)
		send(logical.UpdateOperation, "rotate/gst", nil)
		readAll()
	}
	for _, access := range []string{mounttest.Get, mounttest.Put, mounttest.Delete, mounttest.List} {
		w.Storage.Fail(access, "", mounttest.ErrStorage())
		advance(time.Minute)
		send(logical.UpdateOperation, "rotate/gst", nil)
		send(logical.UpdateOperation, "config/gst", with(f.config, "headers", "X-Try="+access))
		readAll()
		w.Storage.Heal()
	}
	var puts atomic.Int64 // the engine writes in the background too
	w.Storage.SetFault(func(_ int, access, key string) (f mounttest.Fault) {
		if access == mounttest.Put && strings.HasPrefix(key, "token/") {
			if puts.Add(1) > 1 { // the first takes note of the login
				f.Err = mounttest.ErrStorage()
			}
		}
		return f
	})
	advance(time.Minute)
	send(logical.UpdateOperation, "rotate/gst", nil)
	check.True(w.t, puts.Load() > 1, "no token was to be stored")
	w.Storage.Heal()
	for _, token := range w.issued() {
		for _, data := range []map[string]any{
			{"token": token}, {"token_id": token}, {"token": token, "token_id": token}, {"token": token + "x"}, {"token": []any{token}},
			{"tokn": token},
		} {
			send(logical.UpdateOperation, "lookup", data)
		}
	}
	advance(time.Minute)
	send(logical.UpdateOperation, "revoke/gst", nil)
	readAll()
	w.Reload()
	readAll()
	advance(30 * time.Hour)
	readAll()
	send(logical.UpdateOperation, "revoke/gst", map[string]any{"token_id": "0123456789abcdef"})
	return said
}

// issued are all tokens that the upstream has returned, refresh tokens included.
func (w *testMount) issued() []string {
	w.t.Helper()
	shape := regexp.MustCompile(`ey[\w-]{10,}\.[\w-]+\.[\w-]+|\b[0-9a-f]{40}\b`)
	var tokens []string
	for _, r := range w.heard() {
		tokens = append(tokens, shape.FindAllString(r.Response, -1)...)
	}
	return tokens
}

// accessTokens are the access tokens that an upstream of protocol jwt has given out at logins.
func (w *testMount) accessTokens() []string {
	w.t.Helper()
	var tokens []string
	for _, r := range w.heard() {
		var grant struct {
			Token string `json:"token"`
		}
		if !strings.Contains(r.URL, "refresh") && json.Unmarshal([]byte(r.Response), &grant) == nil && grant.Token != "" {
			tokens = append(tokens, grant.Token)
		}
	}
	return tokens
}
