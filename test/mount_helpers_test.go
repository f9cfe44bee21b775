// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
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

// newLatencyMount starts a mount whose upstream takes a nanosecond over a login: a real one never ends the moment it began.
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

func (w *testMount) write(path string, data map[string]any) *logical.Response {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.UpdateOperation, path, data)
	if err == nil && resp != nil && resp.IsError() {
		err = resp.Error()
	}
	check.Require(w.t, err == nil, "write %s: %v", path, err)
	return resp
}

func (w *testMount) read(path string) *logical.Response {
	w.t.Helper()
	resp, err := w.tryRead(path, nil)
	check.Require(w.t, err == nil, "read %s: %v", path, err)
	check.Require(w.t, resp != nil, "read %s: 404", path)
	return resp
}

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
	return w.refusal(op, path, data).message
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

// tokenResponse is what a reader of token/<role> got.
type tokenResponse struct {
	access, id, config string
	issued, expires    time.Time
	left, ttl, period  time.Duration
	// lease is 0 where the response has none.
	lease time.Duration
	data  map[string]any
}

// life is how long the token lives in all.
func (a tokenResponse) life() time.Duration { return a.expires.Sub(a.issued) }

// share is the part of its life that the token had left when it was read.
func (a tokenResponse) share() float64 { return float64(a.left) / float64(a.life()) }

// ask reads a token from whichever process runs, by an update where there are parameters. It may be called from any goroutine.
func (w *testMount) ask(ctx context.Context, role string, data map[string]any) (tokenResponse, error) {
	var op logical.Operation = logical.ReadOperation
	if data != nil {
		op = logical.UpdateOperation
	}
	_, resp, err := w.Do(ctx, op, "token/"+role, data)
	switch {
	case err != nil:
		return tokenResponse{}, err
	case resp == nil:
		return tokenResponse{}, errors.New("an empty response")
	case resp.IsError():
		return tokenResponse{}, logical.CodedError(http.StatusBadRequest, resp.Error().Error())
	}
	return parseTokenResponse(resp)
}

// token is ask where the read must succeed.
func (w *testMount) token(role string) tokenResponse {
	w.t.Helper()
	a, err := w.ask(w.t.Context(), role, nil)
	check.Require(w.t, err == nil, "token/%s: %v", role, err)
	return a
}

// wantNoDeadToken reads a token, and fails if one is served that is dead upstream. The read itself may fail.
func (w *testMount) wantNoDeadToken(killed string) {
	w.t.Helper()
	a, err := w.ask(w.t.Context(), "app", nil)
	check.True(w.t, err != nil || w.Simulator.TokenAlive(a.access), "a token was served that %s has killed", killed)
}

// wantNotRead checks that a read, which may fail, does not give the token of that ID.
func (w *testMount) wantNotRead(id string) {
	w.t.Helper()
	a, err := w.ask(w.t.Context(), "app", nil)
	check.Require(w.t, err != nil || a.id != id, "token %s is served", id)
}

// failed is ask where the read must fail.
func (w *testMount) failed(role string) {
	w.t.Helper()
	_ = w.failure(role)
}

// failure is why a read failed that must fail.
func (w *testMount) failure(role string) error {
	w.t.Helper()
	a, err := w.ask(w.t.Context(), role, nil)
	check.Require(w.t, err != nil, "token/%s returned token %s and should have failed", role, a.id)
	return err
}

func parseTokenResponse(resp *logical.Response) (tokenResponse, error) {
	a := tokenResponse{data: resp.Data}
	var err error
	text := func(field string) string {
		value, ok := resp.Data[field].(string)
		if !ok {
			err = errors.Join(err, errors.New(field+" is no string"))
		}
		return value
	}
	moment := func(field string) time.Time {
		at, wrong := time.Parse(time.RFC3339, text(field))
		err = errors.Join(err, wrong)
		return at
	}
	seconds := func(field string) time.Duration {
		n, ok := resp.Data[field].(int64)
		if !ok {
			err = errors.Join(err, errors.New(field+" is no whole number"))
		}
		return time.Duration(n) * time.Second
	}
	a.access, a.id, a.config = text("access_token"), text("token_id"), text("config")
	a.issued, a.expires = moment("last_vault_rotation"), moment("expires_at")
	a.left, a.ttl, a.period = seconds("expires_in"), seconds("ttl"), seconds("rotation_period")
	if resp.Secret != nil {
		a.lease = resp.Secret.TTL
		if resp.Secret.Renewable || resp.Secret.MaxTTL != resp.Secret.TTL || resp.Secret.TTL < time.Second {
			err = errors.Join(err, errors.New("a lease that is renewable, or of 0, or whose MaxTTL is another"))
		}
	}
	return a, err
}

// codeOf is the HTTP status that Vault makes of an error.
func codeOf(err error) int {
	if coded, ok := errors.AsType[logical.HTTPCodedError](err); ok {
		return coded.Code()
	}
	return http.StatusInternalServerError
}

// gst is the usual testMount: config gst for jwtAccount, stored without a login, and role app on it.
func gstMount(t *testing.T, ttl time.Duration, more ...any) *testMount {
	t.Helper()
	s := newLatencyMount(t, jwtAccount(withTTL(ttl)))
	s.write("config/gst", jwtConfig(append([]any{"verify_connection", false}, more...)...))
	s.write("role/app", map[string]any{"config": "gst"})
	s.write("role/still", map[string]any{"config": "gst", "lease": false})
	s.wantLogins(0, "by a write without verification")
	return s
}

// refusedMount is gstMount after one read, for which the upstream has refused the stored password, as it does from now on.
func refusedMount(t *testing.T) *testMount {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.changePassword()
	s.failed("app")
	s.wantRefusedLogins(1)
	return s
}

// changePassword makes the upstream refuse the stored password from now on.
func (w *testMount) changePassword() {
	w.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "another-password" }))
}

func (w *testMount) status() map[string]any {
	w.t.Helper()
	return w.read("status/gst").Data
}

// replicated is the storage of one cluster of two: config/ and role/ are replicated, all else is the cluster's own.
type replicated struct{ shared, local logical.Storage }

func (r *replicated) of(key string) logical.Storage {
	if strings.HasPrefix(key, "config/") || strings.HasPrefix(key, "role/") {
		return r.shared
	}
	return r.local
}

func (r *replicated) List(ctx context.Context, prefix string) ([]string, error) {
	return r.of(prefix).List(ctx, prefix)
}

func (r *replicated) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	return r.of(key).Get(ctx, key)
}

func (r *replicated) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return r.of(entry.Key).Put(ctx, entry)
}

func (r *replicated) Delete(ctx context.Context, key string) error { return r.of(key).Delete(ctx, key) }

// clusters are two clusters with one mount: the mount is on a performance secondary, and its primary takes the writes.
type clusters struct {
	*testMount

	primary *testMount
}

// newClusters makes two clusters with config gst and role app, over an upstream of which only jwtAccount is known.
func newClusters(t *testing.T, ttl time.Duration, more ...any) *clusters {
	t.Helper()
	s := newLatencyMount(t, jwtAccount(withTTL(ttl)))
	s.Stop()
	shared := &logical.InmemStorage{}
	primary := &testMount{Mount: s.NewCluster(&replicated{shared: shared, local: &logical.InmemStorage{}}), t: t}
	s.Storage.Entries = &replicated{shared: shared, local: s.Storage.Entries}
	s.Node.SetState(consts.ReplicationPerformanceSecondary)
	s.Start()
	c := &clusters{testMount: s, primary: primary}
	c.elsewhere("config/gst", jwtConfig(append([]any{"verify_connection", false}, more...)...))
	c.elsewhere("role/app", map[string]any{"config": "gst"})
	s.wantLogins(0, "by a write without verification")
	return c
}

// elsewhere writes at the primary and invalidates at the secondary, as replication does.
func (c *clusters) elsewhere(path string, data map[string]any) {
	c.t.Helper()
	c.primary.write(path, data)
	c.Backend().InvalidateKey(c.t.Context(), path)
	synctest.Wait()
}

// headers changes what a login sends, without a new credential and without a verification.
func (c *clusters) headers(value string) {
	c.t.Helper()
	c.elsewhere("config/gst", branch(value, "verify_connection", false))
}
