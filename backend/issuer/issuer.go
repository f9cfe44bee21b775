// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package issuer keeps one shared upstream token an account: it decides when to log in, whom to serve with what, and what to
// remember.
//
// Read is the way of a reader. A token that is fresh is answered from memory, without a lock (served). Everything else goes
// through the entry of the account: decide, in read.go, says what is to be done, and whatever needs storage or the upstream is
// done by a flight, of which there is at most one an account. A flight belongs to the Issuer and not to the reader who caused
// it; all readers who need its outcome wait for it, each as long as its own context allows.
//
// Three locks, in the order in which they are taken: entry.storing (held over storage writes, never by a reader), entry.mu
// (never held over I/O), queue.mu.
package issuer

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// maxRotations bounds the logins that the engine makes by itself at one time, over all accounts.
const maxRotations = 8

// Options are what an Issuer needs. Source and Store must be set.
type Options struct {
	Source Source
	Store  Store
	// Book is nil for none.
	Book Book
	// Clock is nil for the host's.
	Clock Clock
	// Logger is nil for none.
	Logger hclog.Logger
	// UserAgent goes to the upstream.
	UserAgent string
	// DialContext makes the connections to the upstream; nil means the network.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// OnLogin hears how long the upstream took to answer a login; nil means nobody.
	OnLogin func(took time.Duration)
	// MayLogin returns the error with which a node refuses to log in that must not; nil means that it may.
	MayLogin func() error
}

// Issuer hands out the shared tokens of all accounts of one mount. It is safe for concurrent use.
type Issuer struct {
	source    Source
	store     Store
	clock     Clock
	logger    hclog.Logger
	userAgent string
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	mayLogin  func() error
	onLogin   func(took time.Duration)

	// ctx ends when the Issuer is stopped; every flight and the scheduler run under it.
	ctx  context.Context
	stop context.CancelFunc
	// running guards work.Add against a Stop that comes at the same time.
	running sync.RWMutex
	work    sync.WaitGroup

	// process names this Issuer in storage.
	process string

	entries sync.Map // account name → *entry
	tallies sync.Map // account name → *tally, of accounts whose entry was let go
	owed    sync.Map // account name → *Record that storage has not taken yet, of accounts whose entry was dropped all the same
	queue   *queue
	slots   chan struct{}
	trials  trials
	notes   notes

	counters *counters
	waiting  atomic.Int64 // readers
}

// New makes an Issuer. It touches neither storage nor network and starts nothing: see Start.
func New(o Options) *Issuer {
	ctx, stop := context.WithCancel(context.Background())
	i := &Issuer{
		source:    o.Source,
		store:     o.Store,
		clock:     o.Clock,
		logger:    o.Logger,
		userAgent: o.UserAgent,
		dial:      o.DialContext,
		mayLogin:  o.MayLogin,
		onLogin:   o.OnLogin,
		counters:  newCounters(),
		ctx:       ctx,
		stop:      stop,
		process:   rand.Text(),
		queue:     newQueue(),
		slots:     make(chan struct{}, maxRotations),
		notes:     notes{book: o.Book},
	}
	if i.clock == nil {
		i.clock = SystemClock()
	}
	if i.logger == nil {
		i.logger = hclog.NewNullLogger()
	}
	i.notes.logger = i.logger
	if i.mayLogin == nil {
		i.mayLogin = func() error { return nil }
	}
	return i
}

// Start takes up the accounts whose tokens were left in storage, and begins to rotate tokens ahead of their expiry and to trim
// the book. It returns at once; Read works before and without it.
func (i *Issuer) Start() {
	i.goWork(func() { i.rotateWhenDue(i.ctx) })
	if i.notes.book != nil {
		i.goWork(func() { i.trimBook(i.ctx) })
	}
}

// Stop ends all work at once and does not wait for it: Vault holds up every mount of the process until it returns.
func (i *Issuer) Stop() {
	i.running.Lock()
	i.stop()
	i.running.Unlock()
	for _, value := range i.entries.Range {
		e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
		e.mu.Lock()
		e.closeClient()
		e.mu.Unlock()
	}
}

// Wait returns when all work that was under way at Stop has ended.
func (i *Issuer) Wait() { i.work.Wait() }

// goWork runs f in a goroutine that the Issuer owns, and reports whether it could: a stopped Issuer starts nothing.
func (i *Issuer) goWork(f func()) bool {
	i.running.RLock()
	defer i.running.RUnlock()
	if i.ctx.Err() != nil {
		return false
	}
	i.work.Go(func() {
		// A panic would end the process, and with it every mount that lives there. Its value may hold anything, so only its type
		// is logged.
		defer func() {
			if p := recover(); p != nil {
				i.logger.Error("work in the background ended in a panic: please report this", "panic", fmt.Sprintf("%T", p),
					"stack", string(debug.Stack()))
			}
		}()
		f()
	})
	return true
}

// entry finds the account's entry, or makes an empty one that knows nothing yet.
func (i *Issuer) entry(name string) *entry {
	if e, ok := i.entries.Load(name); ok {
		return e.(*entry) //nolint:forcetypeassert // the map holds nothing else
	}
	counts := new(tally)
	if known, ok := i.tallies.Load(name); ok {
		counts = known.(*tally) //nolint:forcetypeassert // the map holds nothing else
	}
	e, _ := i.entries.LoadOrStore(name, &entry{name: name, tally: counts, counters: i.counters})
	return e.(*entry) //nolint:forcetypeassert // the map holds nothing else
}

// newClient makes the client for an account's endpoint.
func (i *Issuer) newClient(a *Account) (upstream.Client, error) {
	return upstream.New(a.Upstream, upstream.Options{
		UserAgent:   i.userAgent,
		DialContext: i.dial,
		// The wall clock, and not time.Now: a clock that was set back must be the same one for all.
		Now: func() time.Time { return i.clock().Wall },
	})
}
