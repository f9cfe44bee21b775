// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// serverName is what the certificate of a server of good will is for.
const serverName = "127.0.0.1"

// Server is an upstream on a free loopback port that plays a trick until Heal is called, and behaves normally from then on.
type Server struct {
	trick    *Trick
	healed   atomic.Bool
	listener net.Listener
	trap     net.Listener
	ca       *simulator.CA
	good     *tls.Config
	bad      *tls.Config
	end      chan struct{}
	work     sync.WaitGroup

	conns, open, asked, trapped atomic.Int64
}

// Start starts a server that plays the trick.
func Start(trick *Trick) (*Server, error) {
	s := &Server{trick: trick, end: make(chan struct{})}
	if err := s.prepareTLS(); err != nil {
		return nil, err
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // binding to loopback does not wait
		return nil, err
	}
	if s.trap, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // see above
		return nil, errors.Join(err, s.listener.Close())
	}
	s.work.Go(s.accept)
	s.work.Go(s.guard)
	return s, nil
}

// prepareTLS makes the server's certificates, the right one and what the trick makes of it.
func (s *Server) prepareTLS() (err error) {
	if s.trick.Speaks == Plain {
		return nil
	}
	if s.ca, err = simulator.NewCA(); err != nil {
		return err
	}
	if s.good, err = s.ca.ServerTLS(serverName); err != nil {
		return err
	}
	s.bad = s.good.Clone()
	if s.trick.Speaks == HTTP2 {
		s.bad.NextProtos = []string{"h2"}
	}
	if s.trick.tls == nil {
		return nil
	}
	return s.trick.tls(s, s.bad)
}

// Close ends the server and all its connections.
func (s *Server) Close() {
	close(s.end)
	_ = s.listener.Close()
	_ = s.trap.Close()
	s.work.Wait()
}

// Heal makes the server honest, for connections that come from now on.
func (s *Server) Heal() { s.healed.Store(true) }

// URL is the server's login endpoint.
func (s *Server) URL() string {
	scheme := "https"
	if s.trick.Speaks == Plain {
		scheme = "http"
	}
	return scheme + "://" + s.listener.Addr().String() + s.trick.path()
}

// Elsewhere is a URL of another host, where no client must ever go.
func (s *Server) Elsewhere() string { return "http://" + s.trap.Addr().String() + s.trick.path() }

// CA is the certificate, as PEM, of who vouches for the server as long as it is honest.
func (s *Server) CA() string { return string(s.ca.CertPEM()) }

// Conns counts the connections so far, Open those that are open, and Asked the requests that came.
func (s *Server) Conns() int64 { return s.conns.Load() }

// Open counts the connections that are open.
func (s *Server) Open() int64 { return s.open.Load() }

// Asked counts the requests that came.
func (s *Server) Asked() int64 { return s.asked.Load() }

// Trapped counts the connections to Elsewhere.
func (s *Server) Trapped() int64 { return s.trapped.Load() }

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.conns.Add(1)
		s.open.Add(1)
		s.work.Go(func() {
			defer s.open.Add(-1)
			s.serve(conn)
		})
	}
}

// guard counts connections to where none may go.
func (s *Server) guard() {
	for {
		conn, err := s.trap.Accept()
		if err != nil {
			return
		}
		s.trapped.Add(1)
		_ = conn.Close()
	}
}

// serve serves one connection until the other side lets go of it, or the trick does.
func (s *Server) serve(conn net.Conn) {
	over := make(chan struct{})
	defer close(over)
	s.work.Go(func() {
		select {
		case <-s.end:
		case <-over:
		}
		_ = conn.Close()
	})
	honest := s.healed.Load()
	if s.trick.raw != nil && !honest {
		s.trick.raw(&Visit{Server: s, Conn: conn})
		return
	}
	if s.trick.Speaks != Plain {
		config := s.bad
		if honest {
			config = s.good
		}
		conn = tls.Server(conn, config)
	}
	visit := &Visit{Server: s, Conn: conn, in: bufio.NewReader(conn)}
	switch {
	case honest:
		visit.honest()
	case s.trick.Speaks == HTTP2:
		visit.http2()
	default:
		if visit.readRequest() {
			s.trick.response(visit)
		}
	}
}

// Visit is one connection to the server.
type Visit struct {
	*Server
	net.Conn

	in *bufio.Reader
}

func (v *Visit) readRequest() bool {
	r, err := http.ReadRequest(v.in)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return false
	}
	v.asked.Add(1)
	return true
}

// honest responses each login with a new token.
func (v *Visit) honest() {
	for v.readRequest() {
		if !v.send(httpResponse("200 OK", v.trick.mediaType(), v.trick.tokenResponse(goodToken()))) {
			return
		}
	}
}

// send writes text, and reports whether the other side was still there.
func (v *Visit) send(text string) bool {
	_, err := io.WriteString(v.Conn, text)
	return err == nil
}

// flood sends the same again and again until the other side lets go.
func (v *Visit) flood(text string) {
	block := []byte(strings.Repeat(text, max(1, (64<<10)/len(text))))
	for {
		if _, err := v.Write(block); err != nil {
			return
		}
	}
}

// drip sends a byte at a time, for ever: when text has come to its end, from its beginning.
func (v *Visit) drip(text string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		if !v.send(text[n%len(text) : n%len(text)+1]) {
			return
		}
		select {
		case <-tick.C:
		case <-v.end:
			return
		}
	}
}

// linger keeps the connection open until the other side lets go of it.
func (v *Visit) linger() { _, _ = io.Copy(io.Discard, v.Conn) }

// goodToken is a new token as oauth gives it.
func goodToken() string { return strings.ToLower(rand.Text() + rand.Text()[:14]) }

// httpResponse is a response with the right length.
func httpResponse(status, mediaType, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, mediaType, len(body), body)
}
