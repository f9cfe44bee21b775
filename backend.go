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

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
)

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

	// fields and presets are what a config can have, built once: their words cost more than a write.
	fields  []configField
	presets []preset

	store  *storage
	roles  cache[role]
	issuer *issuer.Issuer
	ledger *ledger.Ledger
	// metrics records what cannot be derived later from issuer.Summary.
	metrics *metrics
	clock   issuer.Clock
	// verifications serializes the writes of a config that may log in before they store. It is taken before the lock of the entry.
	verifications nameLocks
	// verifying has, by the name of the config, the context.CancelCauseFunc of the write that logs in.
	verifying sync.Map

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
	b := &backend{clock: o.Clock, metrics: newMetrics(o.Version, o.Commit), fields: configFields(), presets: presets()}
	if b.clock == nil {
		b.clock = account.SystemClock()
	}
	b.store = &storage{view: conf.StorageView, panicked: b.panicked}
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
			b.presetPaths(),
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
	for _, key := range b.store.toReadAgain() {
		b.invalidate(ctx, key)
	}
	b.issuer.Sweep()
	return nil
}

// clean ends all work at once: Vault waits for it with every mount of this process.
func (b *backend) clean(context.Context) {
	b.issuer.Stop()
}

// mountName names a mount in log lines: several share one process, and Vault names only the first of them. It is the mount path
// of the last request, and before the first request the mount's UUID.
type mountName struct {
	uuid string
	path atomic.Pointer[string]
}

// learn remembers the path.
func (m *mountName) learn(path string) {
	if known := m.path.Load(); path != "" && (known == nil || *known != path) {
		m.path.Store(&path)
	}
}

// String is the name when a line is written, which may be a better one than when the logger was made.
func (m *mountName) String() string {
	if path := m.path.Load(); path != nil {
		return *path
	}
	return m.uuid
}

// MarshalText implements encoding.TextMarshaler, for lines in JSON.
func (m *mountName) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// named is the configuration with a logger that names the mount in each line.
func (m *mountName) named(conf *logical.BackendConfig) *logical.BackendConfig {
	named := *conf
	if named.Logger == nil {
		named.Logger = hclog.NewNullLogger()
	}
	named.Logger = named.Logger.With("mount", m)
	return &named
}
