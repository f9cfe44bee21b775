// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
)

// fixture is an issuer with all that it needs in memory: accounts, records, and an upstream that gives a token to each caller.
type fixture struct {
	*issuer.Issuer

	logins atomic.Int64

	mu       sync.Mutex
	accounts map[string]*issuer.Account
	records  map[string]*issuer.Record
	broken   error // what storage answers
	// saved, where it is set, is told when a record was stored; answer is another upstream.
	saved  func()
	answer http.HandlerFunc
}

// newFixture makes a fixture that ends with the test. Call it in a synctest bubble where time is to pass.
func newFixture(t *testing.T, change ...func(*issuer.Options)) *fixture {
	t.Helper()
	w := &fixture{accounts: make(map[string]*issuer.Account), records: make(map[string]*issuer.Record)}
	l := memorynet.New()
	server := &http.Server{Handler: http.HandlerFunc(w.login), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	options := issuer.Options{Source: w, Store: w, DialContext: l.Dial}
	for _, f := range change {
		f(&options)
	}
	w.Issuer = issuer.New(options)
	t.Cleanup(func() {
		w.Stop()
		w.Wait()
		_ = server.Close()
		<-served
	})
	return w
}

// login answers every login with a token that names the user.
func (w *fixture) login(answer http.ResponseWriter, r *http.Request) {
	n := w.logins.Add(1)
	answer.Header().Set("Content-Type", "application/json")
	if w.answer != nil {
		w.answer(answer, r)
		return
	}
	_, _ = fmt.Fprintf(answer, `{"token":"token-%d-of-%s","expires_in":3600}`, n, r.URL.Query().Get("user")) //nolint:gosec // JSON
}

// account is one whose tokens name the generation.
func account(name, generation string) *issuer.Account {
	return &issuer.Account{
		Name: name, Generation: generation, RotationPercent: 66, AuthorizationScheme: "JWT",
		Upstream: upstream.Account{
			Protocol: upstream.JWT, TokenURL: "http://upstream.test/?user=" + generation, Username: generation, Password: "p",
			DefaultTokenTTL: time.Hour, RequestTimeout: 15 * time.Second,
		},
	}
}

func (w *fixture) add(a *issuer.Account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accounts[a.Name] = a
}

func (w *fixture) remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.accounts, name)
}

// breaks makes storage answer with an error, or mends it.
func (w *fixture) breaks(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

func (w *fixture) Account(_ context.Context, name string) (*issuer.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return nil, w.broken
	}
	a, ok := w.accounts[name]
	if !ok {
		return nil, issuer.ErrNoAccount
	}
	return a, nil
}

func (w *fixture) Load(_ context.Context, name string) (*issuer.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[name], w.broken
}

func (w *fixture) Save(_ context.Context, name string, r *issuer.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.records[name] = r
	}
	if w.saved != nil {
		w.saved()
	}
	return w.broken
}

func (w *fixture) Delete(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.records, name)
	return w.broken
}

func (w *fixture) List(context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.records))
	for name := range w.records {
		names = append(names, name)
	}
	return names, w.broken
}

func pass(d time.Duration) { <-time.After(d) }
