// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// settings and goodbye are frames of HTTP/2: no setting at all, and a GOAWAY that knows of no request.
	settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	goodbye  = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
)

// pipes hands out connections in memory and counts those that the client has closed.
type pipes struct {
	serve          func(net.Conn)
	dialed, closed atomic.Int64
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.dialed.Add(1)
	go p.serve(theirs)
	return &countedConn{Conn: ours, closed: &p.closed}, nil
}

type countedConn struct {
	net.Conn
	once   sync.Once
	closed *atomic.Int64
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.closed.Add(1) })
	return c.Conn.Close()
}

// mustBeClosed checks that want connections were made and that none is open any more.
func (p *pipes) mustBeClosed(t *testing.T, want int64) {
	t.Helper()
	synctest.Wait()
	dialed, closed := p.dialed.Load(), p.closed.Load()
	check.True(t, dialed == want && closed == want, "%d connections were made, %d closed, want %d of each", dialed, closed, want)
}

// secureAccount returns an account for a TLS server in memory that speaks the given protocol, and the server's configuration.
func secureAccount(t *testing.T, speaks string) (upstream.Account, *tls.Config) {
	t.Helper()
	ca := check.Value(simulator.NewCA())(t)
	config := check.Value(ca.ServerTLS("upstream.example"))(t)
	config.NextProtos = []string{speaks}
	account := accountFor(upstream.JWT, "https://upstream.example/token-auth/")
	account.CACert = string(ca.CertPEM())
	return account, config
}

// newClientOn makes a client whose connections come from dial.
func newClientOn(t *testing.T, account upstream.Account, dial func(context.Context, string, string) (net.Conn, error)) upstream.Client {
	t.Helper()
	return check.Value(upstream.New(account, upstream.Options{DialContext: dial}))(t)
}

// The first connection stops responding, and new ones respond at once: as a load balancer does with a backend that died.
func TestConnection_NotUsedAgainAfterTimeout(t *testing.T) {
	t.Parallel()
	for _, speaks := range []string{"h2", "http/1.1"} {
		timed(t, speaks, func(t *testing.T) {
			account, config := secureAccount(t, speaks)
			var s *server
			s, dial := serveInMemory(t, config, func(w http.ResponseWriter, r *http.Request) {
				if s.connected() == 1 {
					<-r.Context().Done()
					return
				}
				always(200, "application/json", goodResponse)(w, r)
			})
			client := newClientOn(t, account, dial)

			began := time.Now()
			mustBe(t, mustFail(client.Login(t.Context()))(t), "unavailable/timeout")
			check.Equal(t, time.Since(began), account.RequestTimeout, "the login without a response took")
			_, err := client.Login(t.Context())
			check.True(t, err == nil, "the next login: %v", err)
			check.Equal(t, time.Since(began), account.RequestTimeout, "the first success came after")
			check.True(t, s.asked() == 2 && s.connected() == 2, "%d requests over %d connections, want 2 over 2", s.asked(), s.connected())
		})
	}
}

// The goodbye comes when net/http loses track of the connection: a request has been given it, and has not gone out.
func TestConnection_ClosedAfterGoodbye(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		account, config := secureAccount(t, "h2")
		var last net.Conn
		p := &pipes{serve: func(conn net.Conn) {
			secured := tls.Server(conn, config)
			last = secured
			if secured.Handshake() == nil {
				go func() { _, _ = io.WriteString(secured, settings) }()
				_, _ = io.Copy(io.Discard, secured)
			}
		}}
		said := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			if said {
				return
			}
			said = true
			synctest.Wait() // the settings have to come first
			_, _ = io.WriteString(last, goodbye)
			synctest.Wait()
		}})

		mustBe(t, mustFail(newClientOn(t, account, p.dial).Login(ctx))(t), "unavailable/timeout")
		p.mustBeClosed(t, 2)
	})
}

// TestLogin_SentOnceOnRefusedStream has an HTTP/2 server refuse the stream, which is its leave to send the request again.
func TestLogin_SentOnceOnRefusedStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const refused = "\x00\x00\x04\x03\x00\x00\x00\x00\x01" + "\x00\x00\x00\x07"
		account, config := secureAccount(t, "h2")
		var asked atomic.Int64
		p := &pipes{serve: func(conn net.Conn) {
			secured := tls.Server(conn, config)
			_, _ = io.ReadFull(secured, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
			frames := make(chan string, 8) // in this order, and while the requests are read: the pipe holds nothing
			defer close(frames)
			go func() {
				for frame := range frames {
					_, _ = io.WriteString(secured, frame)
				}
			}()
			frames <- settings
			for head := make([]byte, 9); ; {
				if _, err := io.ReadFull(secured, head); err != nil {
					return
				}
				length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
				_, _ = io.CopyN(io.Discard, secured, length)
				if isHeaders := head[3] == 1; isHeaders {
					asked.Add(1)
					frames <- refused
				}
			}
		}}
		e := mustFail(newClientOn(t, account, p.dial).Login(t.Context()))(t)
		mustBe(t, e, "unavailable/network")
		check.Contains(t, e.Detail, "did not accept the request")
		p.mustBeClosed(t, p.dialed.Load())
		check.Equal(t, asked.Load(), 1, "the login was sent N times")
	})
}

// The other end keeps a connection busy for hours, each in a way that net/http alone would put up with.
func TestConnection_ClosedAtDeadline(t *testing.T) {
	t.Parallel()
	trickle := func(conn net.Conn, text string) {
		for ; ; <-time.After(5 * time.Second) {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
	stuck := []struct {
		name, proxy string
		serve       func(net.Conn)
	}{
		{"a SOCKS5 proxy", "socks5://proxy.example:1080", func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 3))
			_, _ = io.WriteString(conn, "\x05\x00")
			_, _ = io.ReadFull(conn, make([]byte, len("\x05\x01\x00\x03?upstream.example??")))
			_, _ = io.WriteString(conn, "\x05\x00\x00\x03\xff") // a name of 255 bytes follows
			trickle(conn, "x")
		}},
		{"an HTTP proxy", "http://proxy.example:3128", func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			trickle(conn, "X: y\r\n")
		}},
		{"a TLS handshake", "", func(conn net.Conn) { trickle(conn, "\x16\x03\x03\x00\x00") }},
		{"a server that reads nothing", "", func(net.Conn) {}},
	}
	for _, test := range stuck {
		parallel(t, test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				account, _ := secureAccount(t, "h2")
				account.ProxyURL = test.proxy
				p := &pipes{serve: test.serve}
				began := time.Now()
				mustBe(t, mustFail(newClientOn(t, account, p.dial).Login(t.Context()))(t), "unavailable/timeout")
				check.Equal(t, time.Since(began), account.RequestTimeout, "the login took")
				p.mustBeClosed(t, 1)
				<-time.After(time.Minute) // lets the other end find out
			})
		})
	}
}

// TestDial_EndsWithTheLogin has a dial that neither succeeds nor fails.
func TestDial_EndsWithTheLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		account, _ := secureAccount(t, "h2")
		var ended atomic.Int64
		client := newClientOn(t, account, func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			ended.Add(1)
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := client.Login(ctx)
		check.True(t, errors.Is(err, context.Canceled), "got %v, want the caller's context.Canceled", err)
		synctest.Wait()
		check.Equal(t, ended.Load(), 1, "the dial goes on after the login has been given up")
	})
}

// A header Idempotency-Key makes net/http send a request again over a connection that was kept open and is broken.
func TestLogin_SentOnceOnBrokenConnection(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		parallel(t, header, func(t *testing.T) {
			var asked atomic.Int64
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					always(200, "application/json", goodResponse)(w, r)
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
			})
			account := accountFor(upstream.JWT, s.URL)
			account.Headers = map[string]string{header: "4711"}
			client := newClient(t, account)
			check.Value(client.Login(t.Context()))(t)
			mustBe(t, mustFail(client.Login(t.Context()))(t), "unavailable/network")
			check.Equal(t, asked.Load(), 2, "two logins were sent N times")
		})
	}
}
