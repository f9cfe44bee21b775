// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const goodResponse = `{"token":"` + testOpaqueToken + `","expires_in":3600}`

// rawServer is a server that does as it likes with its connections.
type rawServer struct {
	url   string
	asked atomic.Int64
	// head is the head of the last request, byte for byte.
	head atomic.Value
}

// serveRaw reads one request from each connection, calls response and closes the connection.
func serveRaw(t *testing.T, response func(net.Conn)) *rawServer {
	t.Helper()
	listener := check.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	s := &rawServer{url: "http://" + listener.Addr().String()}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn, response)
		}
	}()
	return s
}

func (s *rawServer) serve(conn net.Conn, response func(net.Conn)) {
	defer func() { _ = conn.Close() }()
	var head bytes.Buffer
	r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &head)))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	s.head.Store(head.String())
	s.asked.Add(1)
	response(conn)
}

func TestConnection_BrokenAtEachStage(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	const badHead = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
	const problemPlain, cut = "the port expects TLS: write the URL with https://", "the response is cut short"
	tests := []struct{ name, bytes, want, say string }{
		{"closed without a byte", "", "unavailable/network", "was closed before a response came"},
		{"closed between two headers", head, "unavailable/network", "was closed before a response came"},
		{"closed within a header", "HTTP/1.1 200 OK\r\nContent-Ty", "malformed", "incomplete"},
		{"closed behind the head", head + "Content-Length: 99\r\n\r\n", "malformed", "the response is cut short"},
		{"closed within the body", head + "Content-Length: 999\r\n\r\n" + goodResponse, "malformed", "the response is cut short"},
		{"closed within a chunk", head + "Transfer-Encoding: chunked\r\n\r\n999\r\n" + goodResponse, "malformed", cut},
		{"closed before the last chunk", head + "Transfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n", "malformed", cut},
		{"cut JSON with no length", head + "\r\n" + goodResponse[:30], "malformed", cut},
		{"cut short, at 403", strings.Replace(head, "200", "403", 1) + "Content-Length: 99\r\n\r\n{", "malformed", cut},
		{"cut short, at 401", strings.Replace(head, "200", "401", 1) + "Content-Length: 99\r\n\r\n{", "rejected", cut},
		{"cut short, at 429", strings.Replace(head, "200", "429", 1) + "Content-Length: 99\r\n\r\n{", "throttled", cut},
		{"cut short, at 500", strings.Replace(head, "200", "500", 1) + "Content-Length: 99\r\n\r\n{", "unavailable/server", cut},
		{"something else than HTTP", "SSH-2.0-OpenSSH_9.9\r\n", "malformed", "not HTTP"},
		{"TLS at a plain URL", "\x15\x03\x01\x00\x02\x02\x0a", "malformed", problemPlain},
		{"TLS at a plain URL, net/http", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
			"malformed", problemPlain},
		{"TLS at a plain URL, nginx", badHead + "<b>The plain HTTP request was sent to HTTPS port</b>", "malformed", problemPlain},
		{"TLS at a plain URL, httpd", badHead + "You're speaking plain HTTP to an SSL-enabled server port.", "malformed", problemPlain},
		{"TLS at a plain URL, Tomcat", badHead + "This combination of host and port requires TLS.\r\n", "malformed", problemPlain},
		{"a head without end", head + "X-Long: " + strings.Repeat("x", 128<<10) + "\r\n\r\n", "malformed", "too long"},
		{"a length that is less than all", head + "Connection: close\r\nContent-Length: 10\r\n\r\n" + goodResponse, "malformed", cut},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			s := serveRaw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, test.bytes) })
			e := mustFail(newClient(t, accountFor(upstream.JWT, s.url)).Login(context.Background()))(t)
			check.Equal(t, s.asked.Load(), 1, "the server was asked N times")
			mustBe(t, e, test.want)
			check.Contains(t, e.Detail, test.say)
			check.True(t, !e.NotSent, "the server has read the request, and it counts as not sent")
		})
	}
}

func TestConnection_SwitchOfProtocols(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	s := serveRaw(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		// The connection stays open until the other side closes it.
		_, _ = io.Copy(io.Discard, conn)
		close(released)
	})
	e := mustFail(newClient(t, accountFor(upstream.JWT, s.url)).Login(context.Background()))(t)
	mustBe(t, e, "malformed")
	check.Contains(t, e.Detail, "HTTP 101")
	<-released
}

func TestNetworkError_NamesCause(t *testing.T) {
	t.Parallel()
	const closed = "127.0.0.1:1" // a port below 1024 is given to nobody who asks for any
	// A label of 64 characters is not looked up by any resolver.
	unknown := strings.Repeat("x", 64) + ".example"
	tests := []struct{ name, url, proxy, want, say string }{
		{"the name does not resolve", "http://" + unknown + "/path?q=1", "", "unavailable/dns",
			"the name " + unknown + " does not resolve"},
		{"the name of the proxy does not resolve", "http://host.example/", "http://" + unknown, "unavailable/dns",
			"the name " + unknown + " does not resolve"},
		{"connection refused", "http://" + closed + "/path?q=1", "", "unavailable/network",
			"connection refused by " + closed},
		{"connection refused by the proxy", "http://host.example/path?q=1", "http://" + closed, "unavailable/network",
			"connection refused by the proxy"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			a := accountFor(upstream.JWT, test.url)
			a.ProxyURL = test.proxy
			e := mustFail(newClient(t, a).Login(context.Background()))(t)
			mustBe(t, e, test.want)
			check.True(t, e.Detail == test.say && e.Status == 0 && e.NotSent, "got detail %q, status %d and NotSent %t, want %q",
				e.Detail, e.Status, e.NotSent, test.say)
			check.Equal(t, e.Error(), "upstream cannot be reached: "+test.say, "the error is %q", e)
		})
	}
}

func TestTimeout_Deadline(t *testing.T) {
	t.Parallel()
	stuck := map[string]http.HandlerFunc{
		"before the head": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, goodResponse[:20])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	for where, handle := range stuck {
		timed(t, where+", ours", func(t *testing.T) {
			s, dial := serveInMemory(t, nil, handle)
			a := accountFor(upstream.JWT, s.URL)
			a.RequestTimeout = 150 * time.Millisecond
			e := mustFail(newClientOn(t, a, dial).Login(t.Context()))(t)
			mustBe(t, e, "unavailable/timeout")
			check.Contains(t, e.Error(), "upstream did not respond in time", "timeout after 150ms")
			check.True(t, e.Timeout() && !e.NotSent, "Timeout() is %t and NotSent %t", e.Timeout(), e.NotSent)
			s.only(t)
		})
		timed(t, where+", the caller's", func(t *testing.T) {
			s, dial := serveInMemory(t, nil, handle)
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			e := mustFail(newClientOn(t, accountFor(upstream.JWT, s.URL), dial).Login(ctx))(t)
			mustBe(t, e, "unavailable/timeout")
			check.Contains(t, e.Detail, "the caller's deadline has passed")
			s.only(t)
		})
		timed(t, where+", given up", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s, dial := serveInMemory(t, nil, func(w http.ResponseWriter, r *http.Request) {
				time.AfterFunc(50*time.Millisecond, cancel)
				handle(w, r)
			})
			token, err := newClientOn(t, accountFor(upstream.JWT, s.URL), dial).Login(ctx)
			check.Require(t, errors.Is(err, context.Canceled) && token == nil, "got %v, want context.Canceled", err)
			var e *upstream.Error
			check.True(t, !errors.As(err, &e) && !strings.Contains(err.Error(), "127.0.0.1"), "the error is %q", err)
			s.only(t)
		})
	}
}

func TestTimeout_RefusedWithLateBody(t *testing.T) {
	t.Parallel()
	timed(t, "401, and no body", func(t *testing.T) {
		s, dial := serveInMemory(t, nil, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		mustBe(t, mustFail(newClientOn(t, accountFor(upstream.JWT, s.URL), dial).Login(t.Context()))(t), "rejected")
		s.only(t)
	})
}

func TestLogin_NotSentWhenContextEnded(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", goodResponse))
	c := newClient(t, accountFor(upstream.JWT, s.URL))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.Login(cancelled)
	check.True(t, errors.Is(err, context.Canceled), "cancelled: %v", err)
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	mustBe(t, mustFail(c.Login(late))(t), "unavailable/timeout")
	check.Equal(t, s.asked(), 0, "the server was asked N times")
}

func TestConnection_OneForEachLogin(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		parallel(t, fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			var turn atomic.Int64
			statuses := []int{200, 400, 401, 500, 302, 206, 200}
			s := newServer(func(w http.ResponseWriter, r *http.Request) {
				status := statuses[int(turn.Add(1)-1)%len(statuses)]
				always(status, "application/json", goodResponse, "Location: /elsewhere")(w, r)
			})
			s.EnableHTTP2 = http2
			s.StartTLS()
			t.Cleanup(s.Close)
			a := accountFor(upstream.JWT, s.URL)
			a.CACert = certificateOf(s)
			c := newClient(t, a)
			for range statuses {
				_, _ = c.Login(context.Background())
			}
			check.True(t, s.asked() == len(statuses) && s.connected() == len(statuses),
				"%d requests over %d connections, want %d over as many", s.asked(), s.connected(), len(statuses))
			check.Equal(t, s.requests[0].ProtoMajor == 2, http2, "spoke %s", s.requests[0].Proto)
		})
	}
}

func TestProxy_OfAccountUsed(t *testing.T) {
	t.Parallel()
	proxy := serve(t, always(200, "application/json", goodResponse))
	a := accountFor(upstream.JWT, "http://login.example/api/v1/token-auth/")
	a.ProxyURL = proxy.URL
	check.Value(newClient(t, a).Login(context.Background()))(t)
	check.Equal(t, proxy.only(t).RequestURI, "http://login.example/api/v1/token-auth/", "the proxy was asked for")
}

// A proxy that cannot be read is not gone past, as net/http does.
func TestProxy_OfEnvironment(t *testing.T) {
	const secret = "canary"
	for _, test := range []struct{ scheme, variable, value, noProxy, dialed string }{
		{"https", "HTTPS_PROXY", " http://proxy.example:3128", "", ""},
		{"https", "HTTPS_PROXY", "http://user:" + secret + "%zz@proxy.example:3128", "", ""},
		{"https", "https_proxy", "http://proxy.example:3128\n", "other.example", ""},
		{"http", "HTTP_PROXY", " http://proxy.example:3128", "", ""},
		{"http", "HTTPS_PROXY", " http://proxy.example:3128", "", "login.example:80"},
		{"https", "HTTPS_PROXY", " http://proxy.example:3128", "*", "login.example:443"},
		{"https", "HTTPS_PROXY", "http://proxy.example:3128", "", "proxy.example:3128"},
		{"https", "HTTPS_PROXY", "proxy.example:3128", "", "proxy.example:3128"},
	} {
		t.Run(fmt.Sprintf("%s: %s=%q, %q", test.scheme, test.variable, test.value, test.noProxy), func(t *testing.T) {
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
				t.Setenv(name, "")
			}
			t.Setenv(test.variable, test.value)
			t.Setenv("NO_PROXY", test.noProxy)
			dialed := ""
			c := check.Value(upstream.New(accountFor(upstream.JWT, test.scheme+"://login.example/"), upstream.Options{
				Now: noon, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
					dialed = address
					return nil, errors.New("no network")
				},
			}))(t)
			e := mustFail(c.Login(context.Background()))(t)
			check.Equal(t, dialed, test.dialed, "dialled")
			if test.dialed == "" {
				mustBe(t, e, "unavailable/network")
				check.True(t, e.NotSent, "nothing was sent, and it counts as sent")
				check.Contains(t, e.Detail, strings.ToUpper(test.variable)+" in Vault's environment is not the URL of a proxy")
				check.True(t, !strings.Contains(e.Error(), secret) && !strings.Contains(e.Error(), "proxy.example"), "the value is in %v", e)
			}
		})
	}
}

func TestProxy_RefusedTunnelNamed(t *testing.T) {
	t.Parallel()
	proxy := serve(t, always(407, "text/html", "<html>"+testPassword))
	a := accountFor(upstream.JWT, "https://login.example/api/v1/token-auth/")
	a.ProxyURL = proxy.URL
	e := mustFail(newClient(t, a).Login(context.Background()))(t)
	mustBe(t, e, "unavailable/network")
	check.Equal(t, e.Detail, "the proxy responded with HTTP 407 to CONNECT", "the detail")
	r := proxy.only(t)
	check.True(t, r.Method == http.MethodConnect && r.RequestURI == "login.example:443", "asked for %s %s", r.Method, r.RequestURI)
}

func TestProxy_TunnelIsTLS(t *testing.T) {
	t.Parallel()
	s := newServer(always(200, "application/json", goodResponse))
	s.StartTLS()
	t.Cleanup(s.Close)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		near, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = near.Close() }()
		far, err := net.Dial("tcp", r.Host) //nolint:gosec // the test's own server
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(far, buffered)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
	})
	a := accountFor(upstream.JWT, s.URL)
	a.ProxyURL, a.CACert = proxy.URL, certificateOf(s)
	check.Value(newClient(t, a).Login(context.Background()))(t)
	s.only(t)
	check.True(t, proxy.only(t).Method == http.MethodConnect && proxy.only(t).body == "", "the proxy saw %v", proxy.only(t))
}

func certificateOf(s *server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestTLS_NamesWhatIsWrong(t *testing.T) {
	ca, other := check.Value(simulator.NewCA())(t), check.Value(simulator.NewCA())(t)
	issued := func(ends time.Duration, uses ...x509.ExtKeyUsage) *tls.Config {
		cert := check.Value(ca.Issue(&x509.Certificate{
			NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: uses,
		}))(t)
		return &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	good, old, goodPEM, otherPEM := issued(time.Hour), issued(time.Hour), string(ca.CertPEM()), string(other.CertPEM())
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	type testCase struct {
		config *tls.Config
		ca     string
		host   string
		say    string
	}
	each(t, map[string]testCase{
		"the right CA":                   {good, goodPEM, "127.0.0.1", ""},
		"the right CA among others":      {good, "# another\n" + otherPEM + "\n# ours\n" + goodPEM + "\n", "127.0.0.1", ""},
		"the system's CAs":               {good, "", "127.0.0.1", "is not from a trusted authority"},
		"another CA":                     {good, otherPEM, "127.0.0.1", "is not from a trusted authority, as ca_cert has another"},
		"a certificate for another name": {good, goodPEM, "localhost", "is for another host name"},
		"a certificate that has expired": {issued(-time.Hour), goodPEM, "127.0.0.1", "has expired or is not valid yet"},
		"a certificate not for servers":  {issued(time.Hour, x509.ExtKeyUsageClientAuth), goodPEM, "127.0.0.1", "is not valid"},
		"a server of TLS 1.1 at most":    {old, goodPEM, "127.0.0.1", "TLS 1.2 or later is required"},
	}, func(t *testing.T, test testCase) {
		s := newServer(always(200, "application/json", goodResponse))
		s.TLS = test.config
		s.StartTLS()
		t.Cleanup(s.Close)
		u := check.Value(url.Parse(s.URL))(t)
		u.Host = net.JoinHostPort(test.host, u.Port())
		a := accountFor(upstream.JWT, u.String())
		a.CACert = test.ca
		token, err := newClient(t, a).Login(context.Background())
		check.True(t, s.connected() != 0, "the server was not connected to")
		if test.say == "" {
			check.True(t, err == nil && s.only(t).TLS.Version >= tls.VersionTLS12, "got %v", err)
			return
		}
		e := mustFail(token, err)(t)
		mustBe(t, e, "unavailable/tls")
		check.Contains(t, e.Detail, test.say, u.Host)
		check.Equal(t, s.asked(), 0, "the credentials were sent")
	})
}

// TestCertificates_NoneOfTheSystem: ca_cert is instead of the CAs of the system, of which each could certify another server.
func TestCertificates_NoneOfTheSystem(t *testing.T) {
	t.Parallel()
	text := check.Value(simulator.NewCA())(t).CertPEM()
	want := x509.NewCertPool()
	check.True(t, want.AppendCertsFromPEM(text), "the certificate is not read")
	got := check.Value(upstream.Certificates(string(text)))(t)
	check.True(t, got.Equal(want), "ca_cert is not all that is trusted")
	check.True(t, !check.Value(x509.SystemCertPool())(t).Equal(x509.NewCertPool()), "this system trusts no CA, so that this test cannot fail")
}

func TestTLS_PlainServerNamed(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", goodResponse))
	a := accountFor(upstream.JWT, strings.Replace(s.URL, "http:", "https:", 1))
	e := mustFail(newClient(t, a).Login(context.Background()))(t)
	mustBe(t, e, "unavailable/tls")
	check.Contains(t, e.Detail, "does not speak TLS")
	check.True(t, s.connected() != 0, "the server was not connected to")
}

func TestLogin_ManyAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", goodResponse))
	c := newClient(t, accountFor(upstream.JWT, s.URL))
	errs := make(chan error)
	const logins = 20
	for range logins {
		go func() {
			_, err := c.Login(context.Background())
			errs <- err
		}()
	}
	for range logins {
		check.NoError(t, <-errs)
	}
	check.Equal(t, s.asked(), logins, "the server was asked N times")
}

func TestNew_CopiesMaps(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", goodResponse))
	a := accountFor(upstream.JWT, s.URL)
	a.Headers = map[string]string{"Productid": "arap"}
	c := newClient(t, a)
	a.Headers["Productid"] = "changed"
	check.Value(c.Login(context.Background()))(t)
	check.Equal(t, s.only(t).Header.Get("Productid"), "arap", "sent Productid")
}

func TestLogin_UnsendableHeaderInvalid(t *testing.T) {
	t.Parallel()
	headers := map[string]string{
		"X-Bad": testPassword + "\r\nX-Evil: 1", "X-Nul": "\x00", "": "x", "X Bad": "x", "X-Bad:": "x", "X-Bäd": "x",
	}
	for name, value := range headers {
		s := serve(t, always(200, "application/json", goodResponse))
		a := accountFor(upstream.JWT, s.URL)
		a.Headers = map[string]string{name: value}
		e := mustFail(newClient(t, a).Login(context.Background()))(t)
		mustBe(t, e, "invalid")
		check.True(t, s.asked() == 0 && !strings.Contains(e.Error(), testPassword), "asked %d times: %v", s.asked(), e)
	}
}
