// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"context"
	"net"
	"sync/atomic"
)

// connection is what the simulator remembers of one connection.
type connection struct{ stalled atomic.Bool }

type connectionKey struct{}

// ConnContext is for http.Server: with it a stall lasts as long as its connection, and not only as long as its request.
// Over HTTP/2 that is what a client sees of a load balancer whose backend has died.
func (s *Simulator) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, new(connection))
}

// stall sends no response, now and later, on the connection of this request.
func (ex *exchange) stall() {
	if c, ok := ex.r.Context().Value(connectionKey{}).(*connection); ok {
		c.stalled.Store(true)
	}
	ex.waitForever()
}

// stalled reports whether the connection of this request has stopped responding.
func (ex *exchange) stalled() bool {
	c, ok := ex.r.Context().Value(connectionKey{}).(*connection)
	return ok && c.stalled.Load()
}

// waitForever holds the request until the client or the server ends it.
func (ex *exchange) waitForever() {
	<-ex.r.Context().Done()
	ex.drop()
}
