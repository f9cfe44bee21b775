// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package issuer keeps one shared upstream token an account. Package account decides what becomes of it. A worker, one an
// account, does what that asks for: it reads and writes storage, logs in, and wakes the callers that wait. A token that is fresh
// is served from memory, without a lock: see ReadWarm.
//
// Two locks, in the order in which they are taken, and neither held over I/O: the worker's, and that of the queue or the outbox.
package issuer

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/loginqueue"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Options are what an Issuer needs. Source and Store must be set.
type Options struct {
	Source Source
	Store  Store
	// Ledger is nil for none.
	Ledger Ledger
	// Clock is nil for the host's.
	Clock Clock
	// Logger is nil for none.
	Logger hclog.Logger
	// UserAgent goes to the upstream.
	UserAgent string
	// DialContext makes the connections to the upstream; nil means the network.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// OnLogin is called with the time that the upstream took to respond to a login; may be nil.
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

	// ctx ends when the Issuer is stopped; all that it does by itself runs under it.
	ctx  context.Context
	stop context.CancelFunc
	// running guards work.Add against a Stop that comes at the same time.
	running sync.RWMutex
	work    sync.WaitGroup

	workers  workers
	unsent   sync.Map // account name → *worker, of those with something in the outbox
	tallies  sync.Map // account name → *counters.Tally, of accounts that were evicted
	queue    *loginqueue.Queue[*worker]
	outbox   outbox
	sweeping atomic.Bool
	unread   atomic.Pointer[[]string] // see Unread

	watching sync.Mutex // held from a look at the clocks until steps has it
	steps    atomic.Pointer[account.ClockSteps]
	setBack  atomic.Bool // the wall clock was set back, and accounts that are not in memory were not corrected yet

	counters *counters.Set
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
		counters:  counters.NewSet(),
		ctx:       ctx,
		stop:      stop,
		queue:     loginqueue.New[*worker](),
	}
	i.steps.Store(new(account.ClockSteps))
	i.outbox = outbox{issuer: i, ledger: o.Ledger, queued: make(map[*worker]bool)}
	if o.Ledger == nil {
		i.outbox.ledger = noLedger{}
	}
	if i.clock == nil {
		i.clock = account.SystemClock()
	}
	if i.logger == nil {
		i.logger = hclog.NewNullLogger()
	}
	if i.mayLogin == nil {
		i.mayLogin = func() error { return nil }
	}
	return i
}

// now looks at the clocks, and notices where they were set.
func (i *Issuer) now() (Reading, account.ClockSteps) {
	i.watching.Lock()
	defer i.watching.Unlock()
	now, before := i.clock(), i.steps.Load()
	seen := before.See(now)
	if seen != *before {
		stored := seen // apart, so that seen need not be on the heap
		i.steps.Store(&stored)
	}
	if seen.Back > before.Back {
		i.setBack.Store(true)
	}
	return now, seen
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
