// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"context"
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

// stage is a world that is watched: what reaches the upstream and the storage is counted, the plugin can crash, and the host
// can be given a wrong clock or another place in a cluster.
type stage struct {
	*world

	gate *gate
	host *hostClock
	node *node
	// dialFails, when it holds an error, is what every new connection ends with.
	dialFails atomic.Pointer[net.OpError]
	// away is for how long the machine was suspended in all.
	away atomic.Int64
	// kept is the storage that outlives the plugin's process.
	kept logical.Storage
	// blind makes the lists of the next process fail, so that it takes up an account only when somebody asks for it. That is how
	// it is for a moment after every start.
	blind bool
	// process is the plugin that runs now. Readers in goroutines of their own use it, and world.backend is for the test's.
	process atomic.Pointer[process]
}

// process is one run of the plugin.
type process struct {
	backend logical.Backend
	disk    *disk
}

// newStage makes a stage that ends with the test. Call it in a synctest bubble.
func newStage(t *testing.T, accounts ...simulator.Account) *stage {
	t.Helper()
	return newStageOver(t, func(l net.Listener) net.Listener { return l }, accounts...)
}

// newStageOver makes a stage whose upstream listens in a way of its own.
func newStageOver(t *testing.T, over func(net.Listener) net.Listener, accounts ...simulator.Account) *stage {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{
		world: &world{
			t: t, sim: sim, net: memorynet.New(), logs: hclog.NewNullLogger(),
			system: &logical.StaticSystemView{DefaultLeaseTTLVal: 768 * time.Hour, MaxLeaseTTLVal: 768 * time.Hour},
		},
		gate: newGate(sim), host: &hostClock{}, kept: &logical.InmemStorage{},
	}
	s.node = &node{StaticSystemView: s.system}
	s.clock = s.host.read()
	server := &http.Server{Handler: s.gate, ReadHeaderTimeout: time.Minute}
	served, listener := make(chan struct{}), over(s.net)
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	s.boot()
	t.Cleanup(func() {
		s.stop()
		_ = server.Close()
		<-served
		pass(time.Millisecond) // what was just being answered comes to its end
	})
	return s
}

// boot starts the plugin on the storage that is kept.
func (s *stage) boot() {
	s.t.Helper()
	p := &process{disk: &disk{kept: s.kept, blind: s.blind}}
	factory := mastersindia.Factory(mastersindia.Options{Version: "v0.0.0-test", DialContext: s.dial, Clock: s.clock})
	b, err := factory(s.t.Context(), &logical.BackendConfig{
		StorageView: p.disk, System: s.node, Logger: s.logs, BackendUUID: "00000000-0000-0000-0000-000000000000",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := b.Initialize(s.t.Context(), &logical.InitializationRequest{Storage: p.disk}); err != nil {
		s.t.Fatal(err)
	}
	p.backend = b
	s.process.Store(p)
	s.backend, s.storage = b, p.disk
}

func (s *stage) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := s.dialFails.Load(); err != nil {
		return nil, err
	}
	return s.net.Dial(ctx, network, address)
}

// reload ends the plugin in good order and starts it again, as Vault does for an upgrade.
func (s *stage) reload() {
	s.t.Helper()
	s.stop()
	s.boot()
}

// crash ends the plugin as a SIGKILL does, and starts it again: from one moment to the next it writes nothing more, and its
// connections break.
func (s *stage) crash() {
	s.t.Helper()
	s.process.Load().disk.dead.Store(true)
	s.stop()
	s.boot()
}

// minute does what Vault does once a minute.
func (s *stage) minute() {
	s.t.Helper()
	p := s.process.Load()
	periodic(s.t, p.backend, p.disk)
}

// minutes does it every minute until the test ends.
func (s *stage) minutes() {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(time.Minute)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				s.minute()
			}
		}
	}()
	s.t.Cleanup(func() { close(done) })
}

// pass lets time pass. In a synctest bubble that takes none.
func pass(d time.Duration) { time.Sleep(d) }

// passUntil lets time pass until a moment.
func passUntil(at time.Time) { pass(time.Until(at)) }
