// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
)

// TestModel_AgreesWithTheWorker runs random histories through the worker, with its goroutines, clients and locks, and through the
// bare state machine. All results must be the same.
func TestModel_AgreesWithTheWorker(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			d := newDifferential(t, seed)
			for range 60 {
				what, worker, core := d.step(t.Context())
				worker, core = fmt.Sprintf("%s, %d logins", worker, d.logins[0]), fmt.Sprintf("%s, %d logins", core, d.logins[1])
				if worker, ok := d.issuer.lookup("gst"); ok {
					if s, _ := worker.look(); s.check() != nil {
						t.Fatalf("seed %d, after %s: %v", seed, what, s.check())
					}
				}
				d.history = append(d.history, fmt.Sprintf("%s: %s", what, worker))
				if worker != core {
					t.Fatalf("seed %d: the worker says %q, and the state machine %q:\n%s", seed, worker, core,
						strings.Join(d.history, "\n"))
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

// differential is one account twice: in an Issuer, and as a bare state machine.
type differential struct {
	issuer  *Issuer
	core    *modelWorld
	options Options
	chance  *rand.Rand
	history []string

	mu     sync.Mutex
	config *Account
	record *Record
	full   bool
	mode   upstream.Kind // what the upstream does; "" for a new token
	given  string        // the token that it gave last
	again  bool
	made   int    // tokens
	logins [2]int // of the worker, and of the state machine
}

func newDifferential(t *testing.T, seed uint64) *differential {
	t.Helper()
	l := memorynet.New()
	d := &differential{chance: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // repeatable chance for a test
	server := &http.Server{Handler: d, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	began := time.Now()
	d.options = Options{Source: d, Store: d, DialContext: l.Dial, Clock: func() Reading {
		return Reading{Wall: modelEpoch().Add(time.Since(began)), Elapsed: time.Since(began)}
	}}
	d.issuer = New(d.options)
	s := &scenario{percent: 66}
	d.core = &modelWorld{scenario: s, active: true}
	d.config = plain(modelAccount(0, 0, false, 66, "g0"))
	d.core.config = d.config
	t.Cleanup(func() {
		d.issuer.Stop()
		d.issuer.Wait()
		_ = server.Close()
		<-served
	})
	return d
}

// plain is an account whose tokens cannot be killed upstream.
func plain(a *Account) *Account {
	a.Upstream.RefreshURL = ""
	return a
}

// ServeHTTP is the upstream.
func (d *differential) ServeHTTP(answer http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answer.Header().Set("Content-Type", "application/json")
	d.logins[0]++
	switch d.mode {
	case upstream.Rejected:
		answer.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(answer, `{"detail":"Unable to log in with provided credentials."}`)
	case upstream.Throttled:
		answer.Header().Set("Retry-After", "120")
		answer.WriteHeader(http.StatusTooManyRequests)
	case upstream.Unavailable:
		answer.WriteHeader(http.StatusInternalServerError)
	default:
		if !d.again || d.given == "" {
			d.made++
			d.given = fmt.Sprintf("token-%d", d.made)
		}
		_, _ = fmt.Fprintf(answer, `{"token":%q,"expires_in":1200}`, d.given)
	}
}

// Account implements Source.
func (d *differential) Account(context.Context, string) (*Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil {
		return nil, ErrNoAccount
	}
	return d.config, nil
}

// Load implements Store.
func (d *differential) Load(context.Context, string) (*Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record, nil
}

// Save implements Store.
func (d *differential) Save(_ context.Context, _ string, r *Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return errModelStorage
	}
	d.record = r
	return nil
}

// Delete implements Store.
func (d *differential) Delete(ctx context.Context, name string) error { return d.Save(ctx, name, nil) }

// List implements Store.
func (d *differential) List(context.Context) ([]string, error) { return nil, nil }

// step does one thing in both worlds, and returns what came of it in each.
func (d *differential) step(ctx context.Context) (what, worker, core string) {
	defer synctest.Wait()
	w := d.core
	switch n := d.chance.IntN(20); n {
	case 0, 1, 2, 3, 4:
		a, err := d.issuer.Read(ctx, "gst")
		return "read", outcomeOf(a.Token, err), d.coreRead("")
	case 5:
		id := ""
		if w.state.Current != nil {
			id = w.state.Current.ID
		}
		a, err := d.issuer.ReadRejected(ctx, "gst", id)
		return "read with a rejected token", outcomeOf(a.Token, err), d.coreRead(id)
	case 6, 7:
		r, err := d.issuer.Rotate(ctx, "gst")
		return "rotate", outcomeOf(r.Token, err), d.coreRotate()
	case 8:
		revoked, err := d.issuer.Revoke(ctx, "gst", "")
		return "revoke", fmt.Sprint(len(revoked), err), d.coreRevoke()
	case 9, 10, 11:
		return d.write(ctx, change(1+d.chance.IntN(4)), n == 11)
	case 12:
		account, ok := w.changedAccount(changeHeaders)
		if ok {
			plain(account)
			d.store(account)
			w.config = account
			d.issuer.Invalidate("gst")
			w.applyAs(Invalidated{}, false)
		}
		return "write elsewhere", "", ""
	case 13:
		d.issuer.Stop()
		d.issuer.Wait()
		d.issuer = New(d.options)
		w.crash()
		w.since = 0 // the test's clock goes on
		return "crash", "", ""
	case 14:
		d.mu.Lock()
		d.full = !d.full
		w.full = d.full
		d.mu.Unlock()
		return fmt.Sprintf("storage is full: %t", w.full), "", ""
	case 15, 16:
		modes := []upstream.Kind{"", "", upstream.Rejected, upstream.Throttled, upstream.Unavailable}
		d.mu.Lock()
		d.mode, d.again = modes[d.chance.IntN(len(modes))], d.chance.IntN(3) == 0
		d.mu.Unlock()
		return fmt.Sprintf("upstream: %q, repeats %t", d.mode, d.again), "", ""
	default:
		// Longer than any backoff, or none at all: so the chance in it does not matter.
		passed := []time.Duration{80 * time.Second, 6 * time.Minute, 15 * time.Minute, 70 * time.Minute}[d.chance.IntN(4)]
		<-time.After(passed)
		w.true += passed
		d.issuer.Sweep()
		synctest.Wait()
		d.coreSweep()
		return fmt.Sprintf("%s pass", passed), "", ""
	}
}

func (d *differential) store(a *Account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = a
}

// outcomeOf is what a caller got, in short.
func outcomeOf(t *Token, err error) string {
	var paused *PausedError
	var failed *LoginError
	switch {
	case err == nil:
		return t.ID
	case errors.As(err, &paused):
		return "paused"
	case errors.As(err, &failed):
		return fmt.Sprintf("%s, remembered %t", failed.Kind, failed.Remembered)
	default:
		return err.Error()
	}
}

// works completes everything that is in flight in the world of the state machine.
func (d *differential) works() {
	w := d.core
	for w.goOn(); len(w.logins) > 0; w.goOn() {
		l := w.logins[0]
		w.logins = slices.Delete(slices.Clone(w.logins), 0, 1)
		if l.cancelled {
			continue
		}
		event := LoginEnded{Work: l.work.ID}
		d.logins[1]++
		switch d.mode {
		case upstream.Rejected:
			event.Err = modelError(upstream.Rejected, "", 0)
		case upstream.Throttled:
			event.Err = modelError(upstream.Throttled, "", 2*time.Minute)
		case upstream.Unavailable:
			event.Err = modelError(upstream.Unavailable, upstream.CauseServer, 0)
		default:
			grant := &upstream.Token{AccessToken: d.given, IssuedAt: l.began.Wall, ExpiresAt: l.began.Wall.Add(20 * time.Minute)}
			event.Token = newToken(grant, l.began, l.work.Account.Generation, l.work.Reason)
			w.ghost.told(w, event.Token.ID, w.true+20*time.Minute)
		}
		w.apply(event)
	}
	w.broken = "" // rules are judged elsewhere
}

// coreRead is Read.
func (d *differential) coreRead(rejected string) string {
	w := d.core
	w.lastRead = w.now().Wall
	r := reader{rejected: rejected, arrived: w.now(), loads: w.state.Loads, logins: w.state.Logins}
	for range 20 {
		if w.state.readNeeds(w.env(), &r) {
			if w.state.wantsRotation(w.env()) {
				w.apply(Due{})
			} else {
				w.apply(Read{Rejected: rejected})
			}
		}
		v := w.state.verdict(w.env(), &r)
		if !v.wait {
			return outcomeOf(w.state.Current, v.err)
		}
		d.works()
	}
	return "waits for ever"
}

// coreReady has the account in memory.
func (d *differential) coreReady() error {
	if d.core.state.Known != known {
		d.core.apply(Want{})
		d.works()
	}
	if d.core.state.Known == absent {
		return ErrNoAccount
	}
	return nil
}

// coreRotate is Rotate.
func (d *differential) coreRotate() string {
	w := d.core
	if err := d.coreReady(); err != nil {
		return err.Error()
	}
	switch err := w.state.mayLogin(w.env(), ReasonForced, w.state.Account); {
	case errors.Is(err, errTooSoon):
		return outcomeOf(w.state.Current, nil)
	case err != nil:
		return outcomeOf(nil, err)
	}
	w.apply(Force{})
	d.works()
	return outcomeOf(w.state.Current, w.state.LoginErr)
}

// coreRevoke is Revoke.
func (d *differential) coreRevoke() string {
	w := d.core
	if err := d.coreReady(); err != nil {
		return fmt.Sprint(0, err)
	}
	targets := w.state.revocable(w.now(), "")
	w.apply(Revoke{})
	version := w.state.Urgent
	d.works()
	if w.state.Saved < version {
		return fmt.Sprint(0, w.state.SaveErr)
	}
	return fmt.Sprintf("%d <nil>", len(targets))
}

// coreSweep is Sweep.
func (d *differential) coreSweep() {
	w := d.core
	idle := w.state.Known != known || !readSince(w.env(), w.now().Wall.Add(-idleAfter))
	if idle && w.canEvict() {
		w.evict()
		return
	}
	w.apply(Sweep{})
	d.works()
}

// write changes the config in both worlds, as the mount does it.
func (d *differential) write(ctx context.Context, c change, verify bool) (what, worker, core string) {
	w := d.core
	what = fmt.Sprintf("write %d, verified %t", c, verify)
	account, ok := w.changedAccount(c)
	if !ok {
		return what, "", ""
	}
	w.op = &modelOp{step: opStores, account: account, loads: w.state.Loads}
	stored := "stored"
	switch {
	case account == nil:
		d.store(nil)
		_ = d.issuer.Remove(ctx, "gst")
	case verify && (c == changeHeaders || c == changeCredentials):
		plain(account)
		w.op.step = opBegins
		err := d.issuer.Verify(ctx, account, func(t *Token) error {
			d.store(account)
			_ = d.issuer.Update(ctx, account, t)
			return nil
		})
		if err != nil {
			stored = "not stored"
		}
	default:
		plain(account)
		d.store(account)
		_ = d.issuer.Update(ctx, account, nil)
	}
	synctest.Wait()
	d.works()
	if w.config == account {
		return what, stored, "stored"
	}
	return what, stored, "not stored"
}
