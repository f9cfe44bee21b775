// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package mounttest is the harness of all black-box tests: a mount of the engine and a simulator as its upstream, in memory and
// on one clock. What fails in the world around a mount can be made to fail here: storage, the upstream, the network, the node's
// place in the cluster, the host's clock, and the plugin's process itself.
package mounttest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// UpstreamHost is where the upstream listens in memory, at whatever port.
	UpstreamHost = "upstream.test"
	// UpstreamURL is the upstream's URL without a path.
	UpstreamURL = "http://" + UpstreamHost
	// MountPoint is where Vault has mounted the engine.
	MountPoint = "mastersindia/"
	// longestTest is more than any test advances its clock.
	longestTest = 3 * 365 * 24 * time.Hour
)

// Mount is a mount of the engine. Its methods may be called from any goroutine unless they say otherwise.
type Mount struct {
	Simulator *simulator.Simulator
	Upstream  *Upstream
	Network   *memorynet.Net
	Storage   *Storage
	Node      *Node
	Clock     *Clock
	// Logger is where the engine logs. It counts from the next start.
	Logger hclog.Logger
	// TLS makes the upstream speak TLS. It can only be set before the first start.
	TLS *tls.Config
	// RealNetwork makes the plugin dial as it does by itself. It counts from the next start.
	RealNetwork bool

	t         testing.TB
	dialError atomic.Pointer[net.OpError]
	process   atomic.Pointer[process]
}

// process is one run of the plugin.
type process struct {
	backend logical.Backend
	storage *processStorage
}

func (p *process) request(op logical.Operation, path string, data map[string]any) *logical.Request {
	return &logical.Request{Operation: op, Path: path, Data: data, Storage: p.storage, MountPoint: MountPoint}
}

// New starts a mount that ends with the test. Call it in a synctest bubble to control its time. prepare changes what the mount
// finds when it starts; it may be nil.
func New(t testing.TB, prepare func(*Mount), accounts ...simulator.Account) *Mount {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	m := &Mount{
		Simulator: sim, Upstream: newUpstream(sim), Network: memorynet.New(), Storage: newStorage(), Node: newNode(),
		Clock: new(Clock), Logger: hclog.NewNullLogger(), t: t,
	}
	if prepare != nil {
		prepare(m)
	}
	var listener net.Listener = m.Network
	if m.TLS != nil {
		listener = tls.NewListener(bufferedListener{listener}, m.TLS)
	}
	server := &http.Server{Handler: m.Upstream, ReadHeaderTimeout: time.Minute, ConnContext: sim.ConnContext}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	m.Start()
	// The engine's own timers let the time of a bubble run on, so that a test which waits for ever is not found to be blocked.
	endless := time.AfterFunc(longestTest, func() {
		panic(t.Name() + " waits for what never comes") //nolint:forbidigo // the test's own goroutine cannot be ended otherwise
	})
	t.Cleanup(func() {
		m.Stop()
		for m.Storage.open.Load() > 0 { // writes are never given up
			time.Sleep(100 * time.Millisecond)
		}
		endless.Stop()
		_ = server.Close()
		<-served
		time.Sleep(time.Millisecond) // responses under way end
	})
	return m
}

// Start starts the plugin on the storage, as Vault does for a mount or after a reload. Only the test's own goroutine may call it,
// since it ends the test where the plugin does not start.
func (m *Mount) Start() {
	m.t.Helper()
	p := &process{storage: m.Storage.newProcess()}
	options := mastersindia.Options{Version: "v0.0.0-test", DialContext: m.dial, Clock: m.Clock.new()}
	if m.RealNetwork {
		options.DialContext = nil
	}
	b, err := mastersindia.Factory(options)(m.t.Context(), &logical.BackendConfig{
		StorageView: p.storage, System: m.Node, Logger: m.Logger, BackendUUID: "00000000-0000-0000-0000-000000000000",
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := b.Initialize(m.t.Context(), &logical.InitializationRequest{Storage: p.storage}); err != nil {
		m.t.Fatal(err)
	}
	p.backend = b
	m.process.Store(p)
}

// Stop ends the plugin in good order, as Vault does before a reload.
func (m *Mount) Stop() { m.Backend().Cleanup(context.WithoutCancel(m.t.Context())) }

// Reload is Stop and Start.
func (m *Mount) Reload() {
	m.t.Helper()
	m.Stop()
	m.Start()
}

// Crash ends the plugin as a SIGKILL does, and starts it again: from one moment to the next it writes nothing more, and its
// connections break.
func (m *Mount) Crash() {
	m.t.Helper()
	m.LoseStorage()
	m.Reload()
}

// LoseStorage takes storage from the plugin until the next start: every access fails.
func (m *Mount) LoseStorage() { m.process.Load().storage.lost.Store(true) }

// NewCluster starts a mount of another cluster on the same upstream, network and clock, on entries of its own. It ends with the
// test. Two clusters share entries where their storages do.
func (m *Mount) NewCluster(entries logical.Storage) *Mount {
	m.t.Helper()
	storage := newStorage()
	storage.Entries = entries
	other := &Mount{
		Simulator: m.Simulator, Upstream: m.Upstream, Network: m.Network, Storage: storage, Node: newNode(),
		Clock: m.Clock, Logger: m.Logger, RealNetwork: m.RealNetwork, t: m.t,
	}
	other.Start()
	m.t.Cleanup(other.Stop)
	return other
}

// OnCopy runs f with another process of the plugin, which is started on a copy of what storage holds. The first one goes on when
// f has ended.
func (m *Mount) OnCopy(f func()) {
	m.t.Helper()
	storage, first := m.Storage, m.process.Load()
	m.Storage = storage.copy(m.t)
	m.Start()
	f()
	m.Stop()
	m.Storage = storage
	m.process.Store(first)
}

// Backend is the plugin that runs now.
func (m *Mount) Backend() logical.Backend { return m.process.Load().backend }

// Request is a request to the plugin that runs now, for tests that send it themselves.
func (m *Mount) Request(op logical.Operation, path string, data map[string]any) *logical.Request {
	return m.process.Load().request(op, path, data)
}

// Do sends a request to the plugin that runs now, with the existence check that Vault makes before a write, and also returns the
// request as the plugin got it.
func (m *Mount) Do(
	ctx context.Context, op logical.Operation, path string, data map[string]any,
) (req *logical.Request, resp *logical.Response, err error) {
	p := m.process.Load()
	req = p.request(op, path, data)
	if op == logical.UpdateOperation {
		found, exists, err := p.backend.HandleExistenceCheck(ctx, req)
		if err != nil && !errors.Is(err, logical.ErrUnsupportedPath) { // of which Vault makes nothing yet
			return req, nil, err
		}
		if found && !exists {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err = p.backend.HandleRequest(ctx, req)
	return req, resp, err
}

// Periodic has the plugin do what Vault has it do once a minute.
func (m *Mount) Periodic() {
	m.t.Helper()
	p := m.process.Load()
	req := &logical.Request{Operation: logical.RollbackOperation, Storage: p.storage}
	_, err := p.backend.HandleRequest(context.WithoutCancel(m.t.Context()), req)
	if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
		m.t.Errorf("the periodic work failed: %v", err)
	}
}

// EveryMinute does Periodic every minute until the test ends.
func (m *Mount) EveryMinute() {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(time.Minute)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				m.Periodic()
			}
		}
	}()
	m.t.Cleanup(func() { close(done) })
}

// Suspend suspends the machine: the upstream and the wall clock go on, and nothing else does.
func (m *Mount) Suspend(d time.Duration) {
	m.Clock.Jump(d)
	m.Simulator.SetClockOffset(m.Clock.suspend(d))
}

// FailDials makes every new connection to the upstream end with err, until it is called with nil.
func (m *Mount) FailDials(err *net.OpError) { m.dialError.Store(err) }

func (m *Mount) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := m.dialError.Load(); err != nil {
		return nil, err
	}
	return m.Network.Dial(ctx, network, address)
}
