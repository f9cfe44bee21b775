// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package memorynet is a network in memory, for tests: whatever waits on it is known to testing/synctest, so that time can be
// controlled.
package memorynet

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
)

// Net is a listener that every dial leads to, wherever it was to lead.
type Net struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once // closes done

	mu     sync.Mutex
	dialed []string
}

// New makes a network. In a synctest bubble it belongs to that.
func New() *Net {
	return &Net{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Dial implements the DialContext of a client.
func (n *Net) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, address)
	n.mu.Unlock()
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.done:
		return nil, errors.New("the upstream is gone")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Dialed are the addresses that were dialled, in that order.
func (n *Net) Dialed() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dialed)
}

// Accept implements net.Listener.
func (n *Net) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *Net) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

// Addr implements net.Listener.
func (n *Net) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
