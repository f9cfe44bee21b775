// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// settings and goodbye are frames of HTTP/2: no setting at all, and a GOAWAY that knows of no request.
	settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	goodbye  = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
)

// silentServer speaks HTTP/2 and answers nothing. It never closes a connection.
type silentServer struct {
	tls                *tls.Config
	last               net.Conn
	dialed, everClosed atomic.Int64
}

// dial gives one end of a connection to the server.
func (s *silentServer) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	conn := tls.Server(theirs, s.tls)
	s.last = conn
	s.dialed.Add(1)
	go func() {
		defer s.everClosed.Add(1)
		if conn.Handshake() != nil {
			return
		}
		go func() { _, _ = io.WriteString(conn, settings) }()
		_, _ = io.Copy(io.Discard, conn)
	}()
	return ours, nil
}

// TestAGoodbyeBeforeTheRequestLeavesNoConnection says goodbye at the one moment after which net/http forgets the connection:
// a request has been given it, and has not gone out.
func TestAGoodbyeBeforeTheRequestLeavesNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, err := simulator.NewCA()
		if err != nil {
			t.Fatal(err)
		}
		config, err := ca.ServerTLS("upstream.example")
		if err != nil {
			t.Fatal(err)
		}
		config.NextProtos = []string{"h2"}
		s := &silentServer{tls: config}
		account := accountFor(upstream.JWT, "https://upstream.example/token-auth/")
		account.CACert = string(ca.CertPEM())
		client, err := upstream.New(account, upstream.Options{DialContext: s.dial})
		if err != nil {
			t.Fatal(err)
		}
		said := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			if said {
				return
			}
			said = true
			synctest.Wait() // the settings have to come first
			_, _ = io.WriteString(s.last, goodbye)
			synctest.Wait()
		}})

		token, err := client.Login(ctx)
		mustBe(t, mustFail(t, token, err), "unavailable/timeout")
		if s.dialed.Load() != 2 {
			t.Errorf("%d connections were made, want a second one after the goodbye", s.dialed.Load())
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if closed := s.everClosed.Load(); closed != s.dialed.Load() {
			t.Errorf("%d of %d connections are closed a minute later, want all", closed, s.dialed.Load())
		}
	})
}
