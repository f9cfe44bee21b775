// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"context"
	"net"
	"time"
)

// patientConn is a connection that fails when nothing has come for so long that nothing can be waited for any more.
//
// net/http closes idle connections itself, but for one kind: when a server of HTTP/2 says goodbye after a request was given the
// connection and before it goes out, the request takes another one, and this one is left without its idle timer (Go 1.26). It
// would stay open, with its goroutine, until the server lets go of it, and a server can say goodbye to every login.
type patientConn struct {
	net.Conn

	patience time.Duration
}

// Read implements [net.Conn].
func (c *patientConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// patient makes the connections of a dialer patient for as long as a request may take that comes at the last moment of a
// connection's idle time: the transport waits for an answer in a read that began when the one before had come.
func (dial dialer) patient(requestTimeout time.Duration) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patientConn{Conn: conn, patience: idleTimeout + requestTimeout + patienceMargin}, nil
	}
}

// patienceMargin keeps the patience from ending before the timeouts of net/http, which explain themselves.
const patienceMargin = time.Second
