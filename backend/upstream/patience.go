// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"context"
	"net"
	"time"
)

// patientConn is a connection that fails when the other side has kept it waiting for so long that nothing can be hoped for.
//
// net/http ends connections itself, but for two kinds, which would stay open, with their goroutines, for as long as the server
// likes (Go 1.26):
//   - When a server of HTTP/2 says goodbye after a request was given the connection and before it goes out, the request takes
//     another one, and this one is left without its idle timer.
//   - When such a server sends what has to be acknowledged and reads no acknowledgement, the transport waits in a write, and
//     nothing else gets its turn, the end of the request included.
type patientConn struct {
	net.Conn

	forRead, forWrite time.Duration
}

// Read implements [net.Conn].
func (c *patientConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.forRead)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements [net.Conn].
func (c *patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.forWrite)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// patient makes the connections of a dialer patient. A write has the time of a request. A read has that of one that comes at the
// last moment of a connection's idle time: the transport waits for an answer in a read that began when the one before had come.
func (dial dialer) patient(requestTimeout time.Duration) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		forWrite := requestTimeout + patienceMargin
		return &patientConn{Conn: conn, forRead: idleTimeout + forWrite, forWrite: forWrite}, nil
	}
}

// patienceMargin keeps the patience from ending before the timeouts of net/http, which explain themselves.
const patienceMargin = time.Second
