// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

const upstreamURL = mounttest.UpstreamURL

// testMount is a mount of the engine under test.
type testMount struct {
	*mounttest.Mount

	t *testing.T
}

// newTestMount starts a mount that ends with the test. Call it in a synctest bubble to control its time.
func newTestMount(t *testing.T, accounts ...simulator.Account) *testMount {
	t.Helper()
	return newTestMountWith(t, func(*testMount) {}, accounts...)
}

// newTestMountWith starts a mount with something changed before.
func newTestMountWith(t *testing.T, change func(*testMount), accounts ...simulator.Account) *testMount {
	t.Helper()
	w := &testMount{t: t}
	mounttest.New(t, func(m *mounttest.Mount) {
		w.Mount = m
		change(w)
	}, accounts...)
	return w
}

// newLatencyMount starts a mount whose upstream takes a nanosecond over a login: to the engine, a real login never ends in the
// moment in which it began, and what was read before it is older.
func newLatencyMount(t *testing.T, accounts ...simulator.Account) *testMount {
	t.Helper()
	return newTestMountWith(t, func(w *testMount) { w.Upstream.Latency = time.Nanosecond }, accounts...)
}

// reloadIf reloads the plugin if it is to be restarted.
func (w *testMount) reloadIf(restart bool) {
	w.t.Helper()
	if restart {
		w.Reload()
	}
}

// minute has the plugin do what Vault has it do once a minute.
func (w *testMount) minute() {
	w.t.Helper()
	w.Periodic()
	synctest.Wait()
}

// advance advances the clock of the test's bubble, and lets everything happen that is due.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// advanceUntil advances the clock until a moment.
func advanceUntil(at time.Time) { advance(time.Until(at)) }

// request is one that a test sends.
type request struct {
	op   logical.Operation
	path string
	data map[string]any
}

func (r request) String() string { return string(r.op) + " " + r.path }

// do sends a request, and checks that the response is one that the engine documents.
func (w *testMount) do(ctx context.Context, op logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	req, resp, err := w.Do(ctx, op, path, data)
	w.checkResponse(req, resp, err)
	return resp, err
}

// write sends a write that must succeed.
func (w *testMount) write(path string, data map[string]any) *logical.Response {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.UpdateOperation, path, data)
	if err == nil && resp != nil && resp.IsError() {
		err = resp.Error()
	}
	check.Require(w.t, err == nil, "write %s: %v", path, err)
	return resp
}

// read sends a read that must succeed.
func (w *testMount) read(path string) *logical.Response {
	w.t.Helper()
	resp, err := w.tryRead(path, nil)
	check.Require(w.t, err == nil, "read %s: %v", path, err)
	check.Require(w.t, resp != nil, "read %s: 404", path)
	return resp
}

// list sends a list that must succeed.
func (w *testMount) list(path string) *logical.Response {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.ListOperation, path, nil)
	r, refused := asRefusal(resp, err)
	check.Require(w.t, !refused, "list %s: %v", path, r)
	return resp
}

// listed is what a list says of one name.
func (w *testMount) listed(path, name string) map[string]any {
	w.t.Helper()
	info, _ := w.list(path).Data["key_info"].(map[string]any)
	facts, _ := info[name].(map[string]any)
	return facts
}

// tryRead sends a read and turns an error response into its error.
func (w *testMount) tryRead(path string, data map[string]any) (*logical.Response, error) {
	resp, err := w.do(w.t.Context(), logical.ReadOperation, path, data)
	if err == nil && resp != nil && resp.IsError() {
		return nil, resp.Error()
	}
	return resp, err
}

// refused sends a request that must fail, and returns the message.
func (w *testMount) refused(op logical.Operation, path string, data map[string]any) string {
	w.t.Helper()
	r, refused := asRefusal(w.do(w.t.Context(), op, path, data))
	check.Require(w.t, refused, "%s %s was not refused", op, path)
	return r.message
}

// jwtAccount is an account of the simulator for protocol jwt. Its names and secrets are invented.
func jwtAccount(change ...func(*simulator.Account)) simulator.Account {
	a := simulator.Account{Protocol: simulator.JWT, Username: "clerk", Password: "pass-of-clerk"}
	for _, c := range change {
		c(&a)
	}
	return a
}

func withTTL(ttl time.Duration) func(*simulator.Account) {
	return func(a *simulator.Account) { a.TokenTTL = ttl }
}

// jwtConfig is what a config for jwtAccount is written with.
func jwtConfig(more ...any) map[string]any {
	data := map[string]any{
		"protocol": "jwt", "token_url": upstreamURL + "/api/v1/token-auth/", "allow_http": true,
		"username": "clerk", "password": "pass-of-clerk",
	}
	for n := 0; n < len(more); n += 2 {
		data[more[n].(string)] = more[n+1]
	}
	return data
}

// logins counts the login attempts that reached the upstream.
func (w *testMount) logins() int { return w.Simulator.Counters().Logins }

// wantLogins checks how many login attempts have reached the upstream; why says more of that number.
func (w *testMount) wantLogins(want int, why ...string) {
	w.t.Helper()
	check.Equal(w.t, w.logins(), want, "logins %s", strings.Join(why, " "))
}
