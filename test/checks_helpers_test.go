// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// timed runs a subtest in a bubble, in which time passes only while everything waits.
func timed(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// bubble runs a test in a bubble, in parallel with others.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func gstTest(t *testing.T, ttl time.Duration, f func(t *testing.T, s *testMount)) {
	t.Helper()
	bubble(t, func(t *testing.T) { f(t, gstMount(t, ttl)) })
}

func mountTest(t *testing.T, of fixture, f func(t *testing.T, w *testMount)) {
	t.Helper()
	bubble(t, func(t *testing.T) { f(t, of.mounted(t)) })
}

func emptyTest(t *testing.T, f func(t *testing.T, w *testMount)) {
	t.Helper()
	bubble(t, func(t *testing.T) { f(t, newTestMount(t)) })
}

func ksaTest(t *testing.T, ttl time.Duration, f func(t *testing.T, s *testMount)) {
	t.Helper()
	bubble(t, func(t *testing.T) { f(t, ksaMount(t, ttl)) })
}

// warningsOf are the warnings of a response, which may have none.
func warningsOf(resp *logical.Response) string {
	if resp == nil {
		return ""
	}
	return strings.Join(resp.Warnings, " ")
}

// fixturesTest runs a test for each fixture, in bubbles.
func fixturesTest(t *testing.T, f func(t *testing.T, of fixture)) {
	t.Helper()
	eachOf(t, fixtures(), f)
}

// each runs a test for each case, in bubbles.
func each[K ~string, C any](t *testing.T, cases map[K]C, f func(t *testing.T, c C)) {
	t.Helper()
	eachNamed(t, cases, func(t *testing.T, _ K, c C) { f(t, c) })
}

// eachNamed is each for a test that also needs the name of the case.
func eachNamed[K ~string, C any](t *testing.T, cases map[K]C, f func(t *testing.T, name K, c C)) {
	t.Helper()
	t.Parallel()
	for name, c := range cases {
		timed(t, string(name), func(t *testing.T) { f(t, name, c) })
	}
}

// eachWith is eachNamed with each of some other values.
func eachWith[C, V any](t *testing.T, cases map[string]C, values []V, f func(t *testing.T, name string, c C, value V)) {
	t.Helper()
	t.Parallel()
	for name, c := range cases {
		for _, value := range values {
			timed(t, fmt.Sprintf("%s, %v", name, value), func(t *testing.T) { f(t, name, c, value) })
		}
	}
}

// eachRestart is each without a restart of the plugin, and with one.
func eachRestart[C any](t *testing.T, cases map[string]C, f func(t *testing.T, c C, restart bool)) {
	t.Helper()
	eachWith(t, cases, []bool{false, true}, func(t *testing.T, _ string, c C, restart bool) { f(t, c, restart) })
}

// eachOf is each where the case is its own name.
func eachOf[C any](t *testing.T, cases []C, f func(t *testing.T, c C)) {
	t.Helper()
	t.Parallel()
	for _, c := range cases {
		timed(t, fmt.Sprint(c), func(t *testing.T) { f(t, c) })
	}
}

// eachPair is eachOf for each pair of a case and a value.
func eachPair[C, V any](t *testing.T, cases []C, values []V, f func(t *testing.T, c C, value V)) {
	t.Helper()
	t.Parallel()
	for _, c := range cases {
		for _, value := range values {
			timed(t, fmt.Sprintf("%v, %v", c, value), func(t *testing.T) { f(t, c, value) })
		}
	}
}

// stored is all that storage holds, once everything in flight has come to rest.
func (w *testMount) stored() map[string]string {
	w.t.Helper()
	synctest.Wait()
	keys, err := logical.CollectKeys(w.t.Context(), w.Storage.Entries)
	check.NoError(w.t, err)
	all := make(map[string]string, len(keys))
	for _, key := range keys {
		entry, err := w.Storage.Entries.Get(w.t.Context(), key)
		check.Require(w.t, err == nil && entry != nil, "get %s: %v, %v", key, entry, err)
		all[key] = string(entry.Value)
	}
	return all
}

func (w *testMount) storedUnder(prefix string) map[string]string {
	w.t.Helper()
	all := w.stored()
	maps.DeleteFunc(all, func(key, _ string) bool { return !strings.HasPrefix(key, prefix) })
	return all
}

func (w *testMount) put(key, value string) {
	w.t.Helper()
	check.NoError(w.t, w.Storage.Entries.Put(w.t.Context(), &logical.StorageEntry{Key: key, Value: []byte(value)}))
}

// differing are the keys whose values are not the same in both, without the values: they may be secret.
func differing(a, b map[string]string) []string {
	var keys []string
	for key := range a {
		if other, ok := b[key]; !ok || other != a[key] {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// heard is every request to the upstream so far, with its response.
func (w *testMount) heard() []mounttest.Request {
	synctest.Wait()
	return w.Upstream.Requests()
}

// quiet runs f and checks that nothing was sent upstream, not even a connection begun.
func (w *testMount) quiet(f func()) {
	w.t.Helper()
	asked, dialled, logins := len(w.heard()), len(w.Network.Dialed()), w.logins()
	f()
	check.Equal(w.t, len(w.heard())-asked, 0, "requests that went upstream")
	check.Equal(w.t, len(w.Network.Dialed())-dialled, 0, "connections that were made upstream")
	check.Equal(w.t, w.logins()-logins, 0, "logins")
}

// idle is quiet and checks that storage is as before.
func (w *testMount) idle(f func()) {
	w.t.Helper()
	before := w.stored()
	w.quiet(f)
	check.Equal(w.t, differing(before, w.stored()), nil, "storage has changed at")
}

// loggingIn runs f and checks how many logins it made.
func (w *testMount) loggingIn(want int, f func()) {
	w.t.Helper()
	synctest.Wait()
	before := w.logins()
	f()
	synctest.Wait()
	check.Equal(w.t, w.logins()-before, want, "logins")
}

// refusal is how a request failed.
type refusal struct {
	status  int
	message string
	coded   bool // a bare logical.CodedError
}

// asRefusal reads a response as Vault would; ok is false where the request was not refused.
func asRefusal(resp *logical.Response, err error) (r refusal, ok bool) {
	switch {
	case err != nil && resp == nil:
		// Over gRPC a code survives only where it is the error itself: hence no errors.As here.
		if coded, bare := err.(logical.HTTPCodedError); bare { //nolint:errorlint // see above
			return refusal{coded.Code(), err.Error(), true}, true
		}
		if errors.Is(err, logical.ErrUnsupportedOperation) {
			return refusal{status: http.StatusMethodNotAllowed, message: err.Error()}, true
		}
		if errors.Is(err, logical.ErrUnsupportedPath) {
			return refusal{status: http.StatusNotFound, message: err.Error()}, true
		}
		return refusal{status: http.StatusInternalServerError, message: err.Error()}, true
	case err != nil:
		both := fmt.Sprintf("both a response and an error: %v, %v", resp.Data, err)
		return refusal{status: http.StatusInternalServerError, message: both}, true
	case resp != nil && resp.IsError():
		return refusal{status: http.StatusBadRequest, message: resp.Error().Error()}, true
	default:
		return refusal{}, false
	}
}

func (w *testMount) refusal(op logical.Operation, path string, data map[string]any) refusal {
	w.t.Helper()
	return w.refusalIn(w.t.Context(), op, path, data)
}

// upstreamRefusal is refusal for what went wrong upstream: the code goes to Vault as a bare error.
func (w *testMount) upstreamRefusal(op logical.Operation, path string, data map[string]any, statuses ...int) refusal {
	w.t.Helper()
	r := w.refusal(op, path, data)
	check.True(w.t, r.coded, "%s %s: %q is no bare logical.CodedError", op, path, r.message)
	check.True(w.t, slices.Contains(statuses, r.status), "%s %s: status %d (%q), want one of %v", op, path, r.status, r.message, statuses)
	return r
}

func (w *testMount) refusalIn(ctx context.Context, op logical.Operation, path string, data map[string]any) refusal {
	w.t.Helper()
	r, ok := asRefusal(w.do(ctx, op, path, data))
	check.Require(w.t, ok, "%s %s was not refused", op, path)
	return r
}

// badRequest sends a request that must get 400 without any effect, in a message with all of wants and nothing that was sent.
func (w *testMount) badRequest(op logical.Operation, path string, data map[string]any, wants ...string) string {
	w.t.Helper()
	var r refusal
	w.idle(func() {
		w.t.Helper()
		r = w.refusal(op, path, data)
	})
	check.True(w.t, r.status == http.StatusBadRequest, "%s %s: status %d (%q), want 400", op, path, r.status, r.message)
	w.says(r.message, wants...)
	w.hides(r.message, canaries(data)...)
	return r.message
}

func (w *testMount) wantServed(id any) {
	w.t.Helper()
	got := w.read("token/app").Data["token_id"]
	check.True(w.t, got == id, "token %v is served, want %v", got, id)
}

func (w *testMount) wantLiveToken() {
	w.t.Helper()
	check.True(w.t, w.Simulator.TokenAlive(text(w.t, w.read("token/app").Data, "access_token")), "the token is not alive upstream")
}

func (w *testMount) wantAbsent(path string) {
	w.t.Helper()
	resp, err := w.tryRead(path, nil)
	check.True(w.t, resp == nil && err == nil, "%s: %v, %v, want a plain 404", path, resp, err)
}

func (w *testMount) wantState(want string) (status map[string]any) {
	w.t.Helper()
	status = w.status()
	check.True(w.t, status["state"] == want, "state is %v (%v), want %s", status["state"], status["message"], want)
	return status
}

func (w *testMount) wantRefusedLogins(want int) {
	w.t.Helper()
	check.Equal(w.t, w.Simulator.Counters().LoginsRefused, want, "logins were refused")
}

// failsWith checks that a read of role app fails with that status.
func (w *testMount) failsWith(status int) {
	w.t.Helper()
	err := w.failure("app")
	check.Equal(w.t, codeOf(err), status, "the code of %v", err)
}

func (w *testMount) says(message string, wants ...string) {
	w.t.Helper()
	for _, want := range wants {
		check.True(w.t, strings.Contains(message, want), "message %q does not say %q", message, want)
	}
}

// hides checks that a text has none of the secrets. They are not shown on failure: what they are is in the test.
func (w *testMount) hides(text string, secrets ...string) {
	w.t.Helper()
	for n, secret := range secrets {
		if strings.Contains(text, secret) {
			w.t.Errorf("secret %d of %d is in %q", n+1, len(secrets), strings.ReplaceAll(text, secret, "█████"))
		}
	}
}

// between checks that a value is in a range; what says what it is.
func between[T cmp.Ordered](t testing.TB, got, least, most T, what string, args ...any) {
	t.Helper()
	check.True(t, got >= least && got <= most, "%s: got %v, want %v to %v", fmt.Sprintf(what, args...), got, least, most)
}

func atMost[T cmp.Ordered](t testing.TB, got, most T, what string, args ...any) {
	t.Helper()
	check.True(t, got <= most, "%s: got %v, want at most %v", fmt.Sprintf(what, args...), got, most)
}

// oddNumber is a number that no message has a reason to name.
const oddNumber = "86397"

// canaries are what no message may repeat of what is sent: secrets, what has the word canary in it, and oddNumber.
func canaries(data map[string]any) []string {
	var found []string
	var walk func(name string, value any)
	walk = func(name string, value any) {
		switch v := value.(type) {
		case string:
			if v = strings.TrimSpace(v); v != "" && (strings.Contains(v, "canary") || slices.Contains(secretFields(), name)) {
				found = append(found, v)
			}
			if strings.Contains(v, oddNumber) {
				found = append(found, oddNumber)
			}
		case map[string]any:
			for _, inner := range v {
				walk(name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(name, inner)
			}
		case int, float64, json.Number:
			walk("", fmt.Sprint(v))
		}
	}
	for name, value := range data {
		walk(name, value)
	}
	return found
}

func secretFields() []string { return []string{"password", "client_secret"} }

// asyncResult is a response that came later.
type asyncResult struct {
	resp *logical.Response
	err  error
	at   time.Time
}

func (r asyncResult) unpack() (*logical.Response, error) { return r.resp, r.err }

// async reads at once, and gives the response when it comes.
func (w *testMount) async(path string) <-chan asyncResult {
	return w.asyncRequest(w.t.Context(), logical.ReadOperation, path, nil)
}

func (w *testMount) asyncRequest(ctx context.Context, op logical.Operation, path string, data map[string]any) <-chan asyncResult {
	response := make(chan asyncResult, 1)
	go func() {
		resp, err := w.do(ctx, op, path, data)
		response <- asyncResult{resp, err, time.Now()}
	}()
	return response
}

// wait waits for a response, though not for ever: in a bubble with timers that would be an endless loop.
func (w *testMount) wait(response <-chan asyncResult) asyncResult {
	w.t.Helper()
	select {
	case r := <-response:
		return r
	case <-time.After(10 * time.Minute):
		w.t.Fatal("no response within ten minutes")
		return asyncResult{}
	}
}

// branch is a change of what a login sends that is no other credential.
func branch(name string, more ...any) map[string]any {
	return with(map[string]any{"headers": map[string]any{"X-Branch": name}}, more...)
}

// slow makes the upstream take its time over every login.
func (w *testMount) slow(d time.Duration) {
	w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultSlow, Delay: d, On: simulator.OnLogin})
}

// waitUntil lets time pass until something is so, though not for ever.
func (w *testMount) waitUntil(what string, so func() bool) {
	w.t.Helper()
	began := time.Now()
	for !so() {
		waited := time.Since(began)
		check.Require(w.t, waited <= 2*time.Minute, "waited two minutes for %s", what)
		advance(max(time.Millisecond, waited/64))
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
