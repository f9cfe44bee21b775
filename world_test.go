// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
	"vault-plugin-secrets-mastersindia/simulator"
)

// upstreamURL is where the simulator lives in memory.
const upstreamURL = "http://upstream.test"

// world is a mount of the engine and a simulator as its upstream, both in memory and on one clock.
type world struct {
	t       *testing.T
	sim     *simulator.Simulator
	net     *memorynet.Net
	ear     *ear           // hears every request to the upstream
	disk    *faultyStorage // what storage is kept on: counts accesses and can be told to fail
	storage logical.Storage
	system  *logical.StaticSystemView
	logs    hclog.Logger
	clock   issuer.Clock
	backend logical.Backend
}

// newWorld makes a world that ends with the test. Call it in a synctest bubble to control its time.
func newWorld(t *testing.T, accounts ...simulator.Account) *world {
	t.Helper()
	return newWorldWith(t, func(*world) {}, accounts...)
}

// newWorldWith makes a world with something changed before it starts.
func newWorldWith(t *testing.T, change func(*world), accounts ...simulator.Account) *world {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, sim: sim, net: memorynet.New(), ear: &ear{upstream: sim}, disk: newFaultyStorage(), logs: hclog.NewNullLogger(),
		system: &logical.StaticSystemView{
			DefaultLeaseTTLVal: 768 * time.Hour, MaxLeaseTTLVal: 768 * time.Hour,
			PluginEnvironment: &logical.PluginEnvironment{VaultVersion: "1.21.0"},
		},
	}
	w.storage = w.disk
	change(w)
	server := &http.Server{
		Handler: w.ear, ReadHeaderTimeout: time.Minute, TLSConfig: w.ear.tls, ConnContext: sim.ConnContext,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(w.ear.listen(w.net))
	}()
	w.start()
	t.Cleanup(func() {
		w.stop()
		_ = server.Close()
		<-served
	})
	return w
}

// start makes the backend, as Vault does for a mount or after a reload.
func (w *world) start() {
	w.t.Helper()
	factory := mastersindia.Factory(mastersindia.Options{Version: "v0.0.0-test", DialContext: w.net.Dial, Clock: w.clock})
	b, err := factory(w.t.Context(), &logical.BackendConfig{
		StorageView: w.storage, System: w.system, Logger: w.logs, BackendUUID: "00000000-0000-0000-0000-000000000000",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := b.Initialize(w.t.Context(), &logical.InitializationRequest{Storage: w.storage}); err != nil {
		w.t.Fatal(err)
	}
	w.backend = b
}

// stop ends the backend, as Vault does before a reload.
func (w *world) stop() { w.backend.Cleanup(context.WithoutCancel(w.t.Context())) }

// reload ends the backend and makes a new one on the same storage.
func (w *world) reload() {
	w.t.Helper()
	w.stop()
	w.start()
}

// minute does what Vault does once a minute.
func (w *world) minute() {
	w.t.Helper()
	periodic(w.t, w.backend, w.storage)
	synctest.Wait()
}

// periodic is what Vault has a backend do once a minute.
func periodic(t *testing.T, b logical.Backend, storage logical.Storage) {
	t.Helper()
	req := &logical.Request{Operation: logical.RollbackOperation, Storage: storage}
	_, err := b.HandleRequest(context.WithoutCancel(t.Context()), req)
	if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
		t.Errorf("the periodic work failed: %v", err)
	}
}

// do sends a request, with the existence check that Vault makes before a write.
func (w *world) do(ctx context.Context, op logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	backend := w.backend // the one of now: a test may start another meanwhile
	req := &logical.Request{Operation: op, Path: path, Data: data, Storage: w.storage, MountPoint: "mastersindia/"}
	if op == logical.UpdateOperation {
		found, exists, err := backend.HandleExistenceCheck(ctx, req)
		if err != nil && !errors.Is(err, logical.ErrUnsupportedPath) { // of which Vault makes nothing yet
			return nil, err
		}
		if found && !exists {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err := backend.HandleRequest(ctx, req)
	w.checkAnswer(backend, req, resp, err)
	return resp, err
}

// write sends a write that must succeed.
func (w *world) write(path string, data map[string]any) *logical.Response {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.UpdateOperation, path, data)
	if err == nil && resp != nil && resp.IsError() {
		err = resp.Error()
	}
	if err != nil {
		w.t.Fatalf("write %s: %v", path, err)
	}
	return resp
}

// read sends a read that must succeed.
func (w *world) read(path string) *logical.Response {
	w.t.Helper()
	resp, err := w.tryRead(path, nil)
	if err != nil {
		w.t.Fatalf("read %s: %v", path, err)
	}
	if resp == nil {
		w.t.Fatalf("read %s: 404", path)
	}
	return resp
}

// tryRead sends a read and turns an error response into its error.
func (w *world) tryRead(path string, data map[string]any) (*logical.Response, error) {
	resp, err := w.do(w.t.Context(), logical.ReadOperation, path, data)
	if err == nil && resp != nil && resp.IsError() {
		return nil, resp.Error()
	}
	return resp, err
}

// refused sends a request that must fail, and returns the message.
func (w *world) refused(op logical.Operation, path string, data map[string]any) string {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), op, path, data)
	switch {
	case err != nil:
		return err.Error()
	case resp != nil && resp.IsError():
		return resp.Error().Error()
	default:
		w.t.Fatalf("%s %s was not refused", op, path)
		return ""
	}
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
func (w *world) logins() int { return w.sim.Counters().Logins }

// wantLogins checks how many login attempts have reached the upstream; why says more of that number.
func (w *world) wantLogins(want int, why ...string) {
	w.t.Helper()
	if got := w.logins(); got != want {
		w.t.Errorf("%d logins, want %d %s", got, want, strings.Join(why, " "))
	}
}
