// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mounttest

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// Node is the node of the cluster that the plugin runs on. It counts how often the plugin asks it, which costs a round trip of a
// real plugin. The embedded view is for tests to change before a start.
type Node struct {
	logical.StaticSystemView

	state      atomic.Uint32 // consts.ReplicationState
	maxLease   atomic.Int64  // 0: as StaticSystemView has it
	calls      atomic.Int64
	stateCalls atomic.Int64
	held       atomic.Pointer[chan struct{}]
}

func newNode() *Node {
	return &Node{StaticSystemView: logical.StaticSystemView{
		DefaultLeaseTTLVal: 768 * time.Hour, MaxLeaseTTLVal: 768 * time.Hour,
		PluginEnvironment: &logical.PluginEnvironment{VaultVersion: "1.21.0"},
	}}
}

// SetState gives the node another place in the cluster, also while the plugin runs; 0 is the active node.
func (n *Node) SetState(state consts.ReplicationState) { n.state.Store(uint32(state)) }

// SetMaxLease sets the mount's longest lease, also while the plugin runs.
func (n *Node) SetMaxLease(limit time.Duration) { n.maxLease.Store(int64(limit)) }

// Calls is how often the plugin has asked for the node's state or the longest lease.
func (n *Node) Calls() int { return int(n.calls.Load()) }

// StateCalls is how often the plugin has asked for the node's state.
func (n *Node) StateCalls() int { return int(n.stateCalls.Load()) }

// ResetCalls sets the counts to zero.
func (n *Node) ResetCalls() {
	n.calls.Store(0)
	n.stateCalls.Store(0)
}

// HoldState delays every further query of the node's state until release is called.
func (n *Node) HoldState() (release func()) {
	held := make(chan struct{})
	n.held.Store(&held)
	return func() {
		n.held.Store(nil)
		close(held)
	}
}

// ReplicationState implements logical.SystemView. The state is that of when it was asked for.
func (n *Node) ReplicationState() consts.ReplicationState {
	n.calls.Add(1)
	n.stateCalls.Add(1)
	state := consts.ReplicationState(n.state.Load())
	if held := n.held.Load(); held != nil {
		<-*held
	}
	return state
}

// MaxLeaseTTL implements logical.SystemView.
func (n *Node) MaxLeaseTTL() time.Duration {
	n.calls.Add(1)
	if limit := n.maxLease.Load(); limit > 0 {
		return time.Duration(limit)
	}
	return n.StaticSystemView.MaxLeaseTTL()
}
