// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package mastersindia is the secrets engine: it turns Vault's requests into calls of backend/issuer, and their results into
// responses.
package mastersindia

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
)

const backendHelp = `
The Masters India secrets engine provides short-lived tokens for the APIs of
Masters India (GST e-invoicing, e-way bills, verification) and of Fiserv
FirstVision.

Store an upstream account under config/, create a role for it under role/, and
read the token from token/. All readers of an account share one token, which is
replaced before it expires. The lease of a token ends before the token does.

    $ vault write mastersindia/config/gst preset=einvoice-production \
        username=api-user password=-
    $ vault write mastersindia/role/billing config=gst
    $ vault read mastersindia/token/billing

To check the health of all accounts, with the command to run where one fails:

    $ vault list -detailed mastersindia/status
`

// operationPrefix is the first part of every OpenAPI operation name.
const operationPrefix = "masters-india"

// Options are the dependencies that tests replace.
type Options struct {
	// Version is the build's vX.Y.Z, which Vault shows and compares with the registered one.
	Version string
	// Commit is the source commit of the build, or "" if it is unknown.
	Commit string
	// Clock is nil for the host's.
	Clock issuer.Clock
	// DialContext makes the connections to the upstream; nil means the network.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// backend is one mount.
type backend struct {
	*framework.Backend

	// name is what log lines call the mount.
	name *mountName

	// parameters are what the paths take, for the checks before the SDK's.
	parameters map[route]*parameters

	store  *storage
	roles  cache[role]
	issuer *issuer.Issuer
	ledger *ledger.Ledger
	// metrics records what cannot be derived later from issuer.Summary.
	metrics *metrics
	clock   issuer.Clock
	// writes serializes the writes of one config or role, each of which reads, validates, may log in, and stores.
	writes nameLocks

	maxLease leaseLimit
	active   activeNode
	started  sync.Once
}

// Factory makes the backend of a mount. Vault calls it with an empty configuration as well, to learn the version, so it touches
// neither storage nor the system.
func Factory(o Options) logical.Factory {
	return func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		name := &mountName{uuid: conf.BackendUUID}
		conf = name.named(conf)
		b := newBackend(o, conf)
		b.name = name
		if err := b.Setup(ctx, conf); err != nil {
			return nil, err
		}
		return b, nil
	}
}

func newBackend(o Options, conf *logical.BackendConfig) *backend {
	b := &backend{clock: o.Clock, metrics: newMetrics(o.Version, o.Commit)}
	if b.clock == nil {
		b.clock = account.SystemClock()
	}
	b.store = &storage{view: conf.StorageView}
	b.ledger = ledger.New(conf.StorageView)
	b.issuer = issuer.New(issuer.Options{
		Source:      b.store,
		Store:       b.store,
		Ledger:      ledgerAdapter{b.ledger, b.clock},
		Clock:       b.clock,
		Logger:      conf.Logger,
		UserAgent:   "vault-plugin-secrets-mastersindia/" + strings.TrimPrefix(o.Version, "v"),
		DialContext: o.DialContext,
		MayLogin:    b.mustBeActive,
		OnLogin:     b.metrics.loggedIn,
	})
	b.Backend = &framework.Backend{
		Help:           strings.TrimSpace(backendHelp),
		BackendType:    logical.TypeLogical,
		RunningVersion: o.Version,
		PathsSpecial: &logical.Paths{
			// Each ends in a slash: without one only a key of exactly that name would be wrapped.
			SealWrapStorage: []string{configPrefix, tokenPrefix},
			// Each cluster logs in for itself.
			LocalStorage: []string{tokenPrefix, ledger.Prefix},
		},
		Paths: framework.PathAppend(
			b.configPaths(),
			b.rolePaths(),
			b.tokenPaths(),
			b.rotatePaths(),
			b.revokePaths(),
			b.statusPaths(),
			b.lookupPaths(),
			b.ledgerPaths(),
			b.metricsPaths(),
			presetPaths(),
		),
		Secrets:        []*framework.Secret{tokenSecret()},
		InitializeFunc: b.initialize,
		PeriodicFunc:   b.periodic,
		Invalidate:     b.invalidate,
		Clean:          b.clean,
	}
	b.parameters = parametersOf(b.Paths)
	wrapDescriptions(b.Paths)
	return b
}

// initialize begins to rotate tokens ahead of their expiry, on a node that may log in.
func (b *backend) initialize(context.Context, *logical.InitializationRequest) error {
	if b.mayLogin() {
		b.started.Do(b.issuer.Start)
	}
	return nil
}

// periodic runs once a minute under a lock of Vault's, so it does no I/O that takes time. A node that was a standby when it
// started, and is active now, begins to rotate here.
func (b *backend) periodic(ctx context.Context, _ *logical.Request) error {
	if err := b.initialize(ctx, nil); err != nil {
		return err
	}
	b.issuer.Sweep() //nolint:contextcheck // the work that it starts belongs to the Issuer
	return nil
}

// invalidate drops from memory what another node has changed.
func (b *backend) invalidate(_ context.Context, key string) {
	b.active.forget() // another node writes: it may be the active one now
	prefix, name, ok := splitPath(key)
	if !ok {
		return
	}
	switch prefix + "/" {
	case rolePrefix:
		b.roles.forget(name)
	case configPrefix, tokenPrefix:
		b.issuer.Invalidate(name)
	}
}

// clean ends all work at once: Vault waits for it with every mount of this process.
func (b *backend) clean(context.Context) {
	b.issuer.Stop()
}

// mayLogin reports whether this node may log in and store what that gives: it is neither a performance standby nor a
// disaster recovery secondary. The active node of a performance secondary may, since tokens are local to the cluster.
func (b *backend) mayLogin() bool {
	system := b.System()
	return system != nil && isActive(system)
}

func isActive(system logical.SystemView) bool {
	return !system.ReplicationState().HasState(consts.ReplicationPerformanceStandby | consts.ReplicationDRSecondary)
}

// mustBeActive returns the error at which Vault forwards a request to a node that may log in.
func (b *backend) mustBeActive() error {
	if !b.mayLogin() {
		return logical.ErrReadOnly
	}
	return nil
}

// leaseLimit remembers the mount's longest lease, which only Vault knows and which costs a call to learn.
type leaseLimit struct {
	last atomic.Pointer[limitReading]
}

type limitReading struct {
	limit time.Duration
	at    time.Duration
}

// limitAge is how old the remembered limit may be.
const limitAge = time.Minute

// get returns the mount's longest lease as it was at most a minute ago.
func (l *leaseLimit) get(system logical.SystemView, now issuer.Reading) time.Duration {
	if last := l.last.Load(); last != nil && now.Elapsed-last.at < limitAge {
		return last.limit
	}
	limit := system.MaxLeaseTTL()
	l.last.Store(&limitReading{limit: limit, at: now.Elapsed})
	return limit
}
