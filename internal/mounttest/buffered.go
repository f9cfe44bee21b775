// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mounttest

import (
	"net"
	"slices"
	"sync"
	"time"
)

// bufferedListener accepts connections to which one can write before the other side reads, as the kernel's are. Else a client
// that refuses a certificate and a server that goes on talking would wait for each other.
type bufferedListener struct{ net.Listener }

// Accept implements net.Listener.
func (l bufferedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &bufferedConn{Conn: conn, out: make(chan []byte, 64)}
	go func() {
		for data := range c.out {
			_, _ = conn.Write(data) // a client that has gone cannot get an error
		}
		_ = conn.Close()
	}()
	return c, nil
}

type bufferedConn struct {
	net.Conn

	out    chan []byte
	close  sync.Once
	mu     sync.Mutex
	closed bool
}

// Write implements net.Conn.
func (c *bufferedConn) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	c.out <- slices.Clone(data)
	return len(data), nil
}

// SetWriteDeadline implements net.Conn. It does nothing: at the end of a connection crypto/tls sets one that would cut off what
// is still on its way.
func (c *bufferedConn) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.Conn.
func (c *bufferedConn) Close() error {
	c.close.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closed = true
		close(c.out)
	})
	return nil
}
