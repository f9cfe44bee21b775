// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// overTLS is a stage whose upstream has a certificate of an authority of its own.
func overTLS(t *testing.T, ca *simulator.CA) *stage {
	t.Helper()
	config, err := ca.ServerTLS("upstream.test")
	if err != nil {
		t.Fatal(err)
	}
	over := func(l net.Listener) net.Listener { return tls.NewListener(patientListener{l}, config) }
	s := newStageOver(t, over, jwtAccount(withTTL(time.Hour)))
	s.write("config/gst", jwtConfig(
		"token_url", strings.Replace(upstreamURL, "http:", "https:", 1)+"/api/v1/token-auth/", "verify_connection", false,
	))
	s.write("role/app", map[string]any{"config": "gst"})
	return s
}

// patientListener gives connections to which one can write before the other side reads, as the kernel's are. Else a client
// that refuses a certificate and a server that goes on talking would wait for each other.
type patientListener struct{ net.Listener }

func (l patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &patientConn{Conn: conn, out: make(chan []byte, 64)}
	go func() {
		for data := range c.out {
			_, _ = conn.Write(data) // a client that has gone cannot be told
		}
		_ = conn.Close()
	}()
	return c, nil
}

type patientConn struct {
	net.Conn

	out   chan []byte
	close sync.Once
	mu    sync.Mutex
	ended bool
}

func (c *patientConn) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, net.ErrClosed
	}
	c.out <- slices.Clone(data)
	return len(data), nil
}

// SetWriteDeadline does nothing: at the end of a connection crypto/tls sets one that would cut off what is still on its way.
func (c *patientConn) SetWriteDeadline(time.Time) error { return nil }

func (c *patientConn) Close() error {
	c.close.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = true
		close(c.out)
	})
	return nil
}
