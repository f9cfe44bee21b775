// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// hostClock is the host's two clocks: the wall clock can be set, and time in which the machine is suspended passes for
// neither of the host's timers.
type hostClock struct {
	wrong atomic.Int64 // of the wall clock, as a time.Duration
}

func (c *hostClock) read() issuer.Clock {
	start := time.Now()
	return func() issuer.Reading {
		now := time.Now()
		return issuer.Reading{Wall: now.Add(time.Duration(c.wrong.Load())).Round(0).UTC(), Elapsed: now.Sub(start)}
	}
}

// jump sets the wall clock forward, or back.
func (c *hostClock) jump(d time.Duration) { c.wrong.Add(int64(d)) }

// suspend is a sleep of the machine: the upstream and the wall clock go on, and nothing else does.
func (s *stage) suspend(d time.Duration) {
	s.host.jump(d)
	s.sim.SetClockOffset(time.Duration(s.away.Add(int64(d))))
}

// errDead is what the storage answers to a process that has been killed.
var errDead = errors.New("storage: the process is dead")

// disk is the storage as one process of the plugin sees it.
type disk struct {
	kept  logical.Storage
	dead  atomic.Bool
	full  atomic.Int64 // this many writes fail
	slow  atomic.Int64 // a time.Duration that each write takes
	blind bool         // lists of tokens fail
	calls atomic.Int64 // of any kind
	puts  atomic.Int64
}

func (d *disk) use() error {
	d.calls.Add(1)
	if d.dead.Load() {
		return errDead
	}
	return nil
}

func (d *disk) List(ctx context.Context, prefix string) ([]string, error) {
	if err := d.use(); err != nil {
		return nil, err
	}
	if d.blind && prefix == "token/" {
		return nil, errors.New("storage: the list timed out")
	}
	return d.kept.List(ctx, prefix)
}

func (d *disk) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if err := d.use(); err != nil {
		return nil, err
	}
	return d.kept.Get(ctx, key)
}

func (d *disk) Put(ctx context.Context, entry *logical.StorageEntry) error {
	d.puts.Add(1)
	if err := d.use(); err != nil {
		return err
	}
	if wait := time.Duration(d.slow.Load()); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done(): // as the host's storage answers over gRPC
			return ctx.Err()
		}
	}
	if d.full.Add(-1) >= 0 {
		return errors.New("storage: no space left on device")
	}
	return d.kept.Put(ctx, entry)
}

func (d *disk) Delete(ctx context.Context, key string) error {
	if err := d.use(); err != nil {
		return err
	}
	return d.kept.Delete(ctx, key)
}

// node is the place in the cluster that the plugin runs at. It may change while the plugin runs.
type node struct {
	*logical.StaticSystemView

	state    atomic.Uint32 // consts.ReplicationState
	maxLease atomic.Int64  // 0: as StaticSystemView has it
	calls    atomic.Int64
}

func (n *node) ReplicationState() consts.ReplicationState {
	n.calls.Add(1)
	return consts.ReplicationState(n.state.Load())
}

func (n *node) MaxLeaseTTL() time.Duration {
	n.calls.Add(1)
	if limit := n.maxLease.Load(); limit > 0 {
		return time.Duration(limit)
	}
	return n.StaticSystemView.MaxLeaseTTL()
}
