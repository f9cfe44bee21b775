// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
)

// Two workers of one account would log in twice.
func TestWorkers_OneForEachAccount(t *testing.T) {
	t.Parallel()
	var all workers
	first, second := &worker{name: "gst"}, &worker{name: "gst"}
	check.True(t, all.addOrGet(first) == first && all.addOrGet(second) == first, "the first worker was replaced")
	all.remove(second)
	found, _ := all.of("gst")
	check.True(t, found == first, "another worker than the removed one was removed")
}

// Random histories go through the worker, with its goroutines, clients and locks, and the bare state machine: both must agree.
func TestWorker_AgreesWithTheStateMachine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			d := newDifferential(t, seed)
			for range 60 {
				what, worker, core := d.step(t.Context())
				worker, core = fmt.Sprintf("%s, %d logins", worker, d.logins[0]), fmt.Sprintf("%s, %d logins", core, d.logins[1])
				if worker, ok := d.issuer.workers.of("gst"); ok {
					if s, _ := worker.look(); s.Check() != nil {
						t.Fatalf("seed %d, after %s: %v", seed, what, s.Check())
					}
				}
				d.history = append(d.history, fmt.Sprintf("%s: %s", what, worker))
				if worker != core {
					t.Fatalf("seed %d: the worker says %q, and the state machine %q:\n%s", seed, worker, core, strings.Join(d.history, "\n"))
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
	core    *bareCore
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
		return Reading{Wall: epoch().Add(time.Since(began)), Elapsed: time.Since(began)}
	}}
	d.issuer = New(d.options)
	d.config = plainAccount(0, 0, false, "g0")
	d.core = &bareCore{d: d, config: d.config}
	t.Cleanup(func() {
		d.issuer.Stop()
		d.issuer.Wait()
		_ = server.Close()
		<-served
	})
	return d
}

func epoch() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

var errFull = errors.New("storage takes no writes")

// plainAccount is one with the given credentials and headers, 0 or 1, whose tokens cannot be killed upstream.
func plainAccount(credentials, headers int, paused bool, generation string) *Account {
	a := &Account{
		Name: "gst", Generation: generation, RotationPercent: 66, Paused: paused, LedgerRetention: time.Hour,
		Upstream: upstream.Account{
			Protocol: upstream.JWT, TokenURL: "http://upstream.test/", Username: fmt.Sprint("user", credentials), Password: "p",
			DefaultTokenTTL: 20 * time.Minute, RequestTimeout: 15 * time.Second,
		},
	}
	if headers > 0 {
		a.Upstream.Headers = map[string]string{"Productid": "arap"}
	}
	return a
}

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

func (d *differential) Account(context.Context, string) (*Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil {
		return nil, ErrNoAccount
	}
	return d.config, nil
}

func (d *differential) Load(context.Context, string) (*Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record, nil
}

func (d *differential) Save(_ context.Context, _ string, r *Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return errFull
	}
	d.record = r
	return nil
}

func (d *differential) Delete(ctx context.Context, name string) error { return d.Save(ctx, name, nil) }

func (d *differential) List(context.Context) ([]string, error) { return nil, nil }

// step does one thing in both, and returns what came of it in each.
func (d *differential) step(ctx context.Context) (what, worker, core string) {
	defer synctest.Wait()
	w := d.core
	switch n := d.chance.IntN(20); n {
	case 0, 1, 2, 3, 4:
		a, err := d.issuer.Read(ctx, "gst")
		return "read", outcomeOf(a.Token, err), w.read("")
	case 5:
		id := ""
		if w.state.Current != nil {
			id = w.state.Current.ID
		}
		a, err := d.issuer.ReadRejected(ctx, "gst", id)
		return "read with a rejected token", outcomeOf(a.Token, err), w.read(id)
	case 6, 7:
		r, err := d.issuer.Rotate(ctx, "gst")
		return "rotate", outcomeOf(r.Token, err), w.rotate()
	case 8:
		revoked, err := d.issuer.Revoke(ctx, "gst", "")
		return "revoke", fmt.Sprint(len(revoked), err), w.revoke()
	case 9, 10, 11:
		return d.write(ctx, change(1+d.chance.IntN(4)), n == 11)
	case 12:
		if changed, ok := w.changed(changeHeaders); ok {
			d.store(changed)
			w.config = changed
			d.issuer.Invalidate("gst")
			w.apply(account.Invalidated{}, false)
		}
		return "write elsewhere", "", ""
	case 13:
		d.issuer.Stop()
		d.issuer.Wait()
		d.issuer = New(d.options)
		w.state, w.lastRead = account.State{}, time.Time{}
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
		w.passed += passed
		d.issuer.Sweep()
		synctest.Wait()
		w.sweep()
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

// change is what a write makes of the config.
type change int

const (
	changeHeaders change = iota + 1
	changeCredentials
	changePaused
	changeDeleted
)

// write changes the config in both, as the mount does it.
func (d *differential) write(ctx context.Context, c change, verify bool) (what, worker, core string) {
	verify = verify && (c == changeHeaders || c == changeCredentials)
	what = fmt.Sprintf("write %d, verified %t", c, verify)
	next, ok := d.core.changed(c)
	if !ok {
		return what, "", ""
	}
	isStored := map[bool]string{true: "stored", false: "not stored"}
	var err error
	switch {
	case next == nil:
		d.store(nil)
		_ = d.issuer.Remove(ctx, "gst")
	case verify:
		err = d.issuer.Verify(ctx, next, func(*Token) error {
			d.store(next)
			_ = d.issuer.Update(ctx, next)
			return nil
		})
	default:
		d.store(next)
		_ = d.issuer.Update(ctx, next)
	}
	synctest.Wait()
	return what, isStored[err == nil], isStored[d.core.write(next, verify)]
}

// bareCore is the account as a bare state machine: all that it asks for is done at once.
type bareCore struct {
	d        *differential
	state    account.State
	lastRead time.Time
	passed   time.Duration
	config   *Account
	record   *Record
	full     bool // storage takes no writes
	made     int  // generations
}

func (c *bareCore) now() Reading { return Reading{Wall: epoch().Add(c.passed), Elapsed: c.passed} }

func (c *bareCore) env() account.Env {
	return account.Env{Reading: c.now(), Active: true, LastRead: c.lastRead}
}

// apply has something happen to the account, and then all that follows.
func (c *bareCore) apply(event account.Event, active bool) {
	env := c.env()
	env.Active = active
	var effects []account.Effect
	c.state, effects = c.state.Apply(env, event)
	for _, effect := range effects {
		switch e := effect.(type) {
		case account.LoadAccount:
			c.apply(account.Loaded{ID: e.ID, Account: c.config, Record: c.record}, true)
		case account.SaveRecord:
			if c.full {
				c.apply(account.Saved{Version: e.Version, Err: errFull}, true)
				continue
			}
			c.record = e.Record
			c.apply(account.Saved{Version: e.Version}, true)
		case account.Login:
			c.apply(c.login(e.Work), true)
		case account.SendToLedger:
			if told := c.state.Outbox; len(told) > 0 {
				c.apply(account.Sent{Entries: told}, true)
			}
		}
	}
}

// login is what the upstream makes of a login.
func (c *bareCore) login(w *account.Work) account.LoginEnded {
	c.d.logins[1]++
	if c.d.mode == "" {
		grant := &upstream.Token{AccessToken: c.d.given, IssuedAt: c.now().Wall, ExpiresAt: c.now().Wall.Add(20 * time.Minute)}
		return account.LoginEnded{Work: w.ID, Token: account.NewToken(grant, c.now(), 0, w.Account, w.Reason)}
	}
	err := &upstream.Error{Kind: c.d.mode, Op: "login"}
	switch c.d.mode {
	case upstream.Throttled:
		err.RetryAfter = 2 * time.Minute
	case upstream.Unavailable:
		err.Cause = upstream.CauseServer
	default:
	}
	return account.LoginEnded{Work: w.ID, Err: err}
}

// load has the account in memory, if there is one.
func (c *bareCore) load() error {
	if !c.state.IsKnown() {
		c.apply(account.Want{}, true)
	}
	if c.state.IsAbsent() {
		return ErrNoAccount
	}
	return nil
}

func (c *bareCore) read(rejected string) string {
	c.lastRead = c.now().Wall
	r := account.Reader{Rejected: rejected, Arrived: c.now(), Loads: c.state.Loads, Logins: c.state.Logins}
	for range 20 {
		switch v := c.state.Decide(c.env(), &r); {
		case c.state.ReadNeeds(c.env(), &r) && c.state.WantsRotation(c.env()):
			c.apply(account.Due{}, true)
		case c.state.ReadNeeds(c.env(), &r):
			c.apply(account.Read{Rejected: rejected}, true)
		case !v.Wait:
			return outcomeOf(c.state.Current, v.Err)
		}
	}
	return "waits for ever"
}

func (c *bareCore) rotate() string {
	if err := c.load(); err != nil {
		return err.Error()
	}
	switch err := c.state.MayLogin(c.env(), account.ReasonForced, c.state.Account); {
	case errors.Is(err, account.ErrTooSoon):
		return outcomeOf(c.state.Current, nil)
	case err != nil:
		return outcomeOf(nil, err)
	}
	c.apply(account.Force{}, true)
	return outcomeOf(c.state.Current, c.state.LoginErr)
}

func (c *bareCore) revoke() string {
	if err := c.load(); err != nil {
		return fmt.Sprint(0, err)
	}
	targets := c.state.Revocable(c.now(), "")
	c.apply(account.Revoke{}, true)
	if c.state.Saved < c.state.Urgent {
		return fmt.Sprint(0, unsaved(c.state.SaveErr))
	}
	return fmt.Sprintf("%d <nil>", len(targets))
}

func (c *bareCore) sweep() {
	isUnread := !c.state.IsKnown() || !account.ReadSince(c.env(), c.now().Wall.Add(-idleAfter))
	if isUnread && c.state.IsIdle(c.env()) {
		c.state = account.State{}
		return
	}
	c.apply(account.Sweep{}, true)
}

// write is what a mount does to write the config, or to delete it, and reports whether it was stored.
func (c *bareCore) write(next *Account, verify bool) bool {
	if verify {
		_ = c.load()
		if c.state.MayLogin(c.env(), account.ReasonVerification, next) != nil {
			return false
		}
		c.apply(account.Verify{Account: next}, true)
		if _, ok := c.state.Verified(c.state.WorkID); !ok {
			return false
		}
	}
	c.config = next
	if next == nil {
		_ = c.load()
		c.apply(account.Removed{}, true)
		return true
	}
	if !c.state.IsKnown() && !c.state.IsAbsent() {
		c.apply(account.Invalidated{}, true)
		_ = c.load()
	}
	c.apply(account.Written{Account: next}, true)
	return true
}

// changed is the config with a change; ok is false where there is nothing to change.
func (c *bareCore) changed(to change) (a *Account, ok bool) {
	c.made++
	generation := fmt.Sprint("g", c.made)
	old := c.config
	if old == nil {
		return plainAccount(0, 0, false, generation), to == changeCredentials
	}
	credentials, headers := int(old.Upstream.Username[4]-'0'), len(old.Upstream.Headers)
	switch to {
	case changeDeleted:
		return nil, true
	case changeHeaders:
		headers = 1 - headers
	case changeCredentials:
		credentials = 1 - credentials
	case changePaused:
		return plainAccount(credentials, headers, !old.Paused, old.Generation), true
	}
	return plainAccount(credentials, headers, old.Paused, generation), true
}
