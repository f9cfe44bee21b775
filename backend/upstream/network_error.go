// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// progress is how far a request came. The transport may still report when the request has been given up, hence atomics.
type progress struct {
	tlsFailed, connected, responding atomic.Bool
	// sent says that the request's head went out, and returned that the transport was about to send it once more.
	sent, returned atomic.Bool
}

// trace returns the hooks that keep the record.
//
// It calls giveUp when the transport is about to send the request a second time. Over HTTP/2 it does so, again and again, for a
// server that refuses the stream or says goodbye: that would be a storm of logins.
func (p *progress) trace(giveUp func()) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeDone:     func(_ tls.ConnectionState, err error) { p.tlsFailed.Store(err != nil) },
		GotFirstResponseByte: func() { p.responding.Store(true) },
		GotConn: func(httptrace.GotConnInfo) {
			p.connected.Store(true)
			if p.sent.Load() {
				p.returned.Store(true)
				giveUp()
			}
		},
		WroteHeaders: func() { p.sent.Store(true) },
	}
}

// proxyRefusalError is the response of a proxy that does not open a tunnel. Without it the transport's error would be nothing but
// the proxy's text.
type proxyRefusalError struct{ status int }

func (p *proxyRefusalError) Error() string {
	return fmt.Sprintf("the proxy responded with HTTP %d to CONNECT", p.status)
}

// checkProxy is the transport's OnProxyConnectResponse.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusalError{status: response.StatusCode}
}

// cancelled is the error of a caller who has given up. It is no failure of the upstream.
func cancelled(op string) error { return fmt.Errorf("%s given up: %w", op, context.Canceled) }

// transportError explains why a request got no response. The error's own text is not used, as it holds the URL, addresses, and
// now and then what the other side has sent.
func (c *client) transportError(ctx, caller context.Context, req *http.Request, op string, p *progress, err error) error {
	if errors.Is(caller.Err(), context.Canceled) {
		return cancelled(op)
	}
	if p.returned.Load() && caller.Err() == nil {
		return &Error{
			Kind: Unavailable, Op: op, Cause: CauseNetwork, Detail: fmt.Sprintf("%s did not accept the request", req.URL.Host),
		}
	}
	if isTimeout(ctx, err) {
		e := c.timedOut(caller, op, 0)
		e.NotSent = !p.connected.Load()
		return e
	}
	e := &Error{Kind: Unavailable, Op: op, NotSent: !p.connected.Load()}
	if e.Detail = explainDNS(err); e.Detail != "" {
		e.Cause = CauseDNS
		return e
	}
	host := peer(err, req.URL.Host)
	if e.Detail = explainTLS(err, host, p.tlsFailed.Load()); e.Detail != "" {
		e.Cause = CauseTLS
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown && c.account.CACert != "" {
			e.Detail += ", as ca_cert has another"
		}
		return e
	}
	if req.URL.Scheme == "http" && isTLSAlert(err) {
		e.Kind, e.Detail = Malformed, problemPlain
		return e
	}
	if p.responding.Load() && !isClosed(err) {
		e.Kind, e.Detail = Malformed, "the response header is too long, incomplete or not HTTP"
		return e
	}
	e.Cause, e.Detail = CauseNetwork, explainNetwork(err, host)
	return e
}

// peer names the other end of the connection that failed: the host, or the proxy on the way to it.
func peer(err error, host string) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return "the proxy"
	}
	return host
}

// timedOut is the error of a request that ran into a deadline. Status is 0 unless a response had begun.
func (c *client) timedOut(caller context.Context, op string, status int) *Error {
	e := &Error{Kind: Unavailable, Op: op, Cause: CauseTimeout, Status: status}
	e.Detail = fmt.Sprintf("timeout after %s", c.account.RequestTimeout)
	if caller.Err() != nil {
		e.Detail = "the caller's deadline has passed"
	}
	return e
}

// isTimeout reports whether the request took too long. A resolver that does not respond is a matter of DNS, though, as long
// as there was time left: that is what has to be mended.
func isTimeout(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return false
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isTLSAlert reports whether the response to plain HTTP was an alert of TLS (RFC 8446, section 5.1). net/http has no type for
// that.
func isTLSAlert(err error) bool {
	return strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`)
}

// expectsTLS reports whether the response is that of a server which was spoken to without TLS, in the words of net/http, nginx,
// Apache and Tomcat.
func (a *response) expectsTLS() bool {
	if a.status != http.StatusBadRequest {
		return false
	}
	return slices.ContainsFunc([]string{
		"HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port", "plain HTTP to an SSL-enabled server port",
		"combination of host and port requires TLS",
	}, func(words string) bool { return bytes.Contains(a.body, []byte(words)) })
}

// isClosed reports whether the other side has closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explainDNS returns an empty text for what is no matter of DNS.
func explainDNS(err error) string {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsNotFound:
		return fmt.Sprintf("the name %s does not resolve", dns.Name)
	default:
		return fmt.Sprintf("the name %s cannot be looked up", dns.Name)
	}
}

// explainTLS returns an empty text for what is no matter of TLS.
func explainTLS(err error, host string, handshakeFailed bool) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Sprintf("the certificate of %s is not from a trusted authority", host)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate of %s is for another host name", host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("the certificate of %s has expired or is not valid yet", host)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("the certificate of %s is not valid", host)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("%s does not speak TLS: the port is wrong, or the URL is one with http:// (with allow_http=true)", host)
	}
	if handshakeFailed {
		return fmt.Sprintf("the TLS handshake with %s failed; TLS 1.2 or later is required", host)
	}
	return ""
}

// explainNetwork says what is wrong with the way to the host, or to the proxy before it.
func explainNetwork(err error, host string) string {
	if refusal, ok := errors.AsType[*proxyRefusalError](err); ok {
		return refusal.Error()
	}
	if unreadable, ok := errors.AsType[*unreadableProxyError](err); ok {
		return unreadable.Error()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("connection refused by %s", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("there is no route to %s", host)
	case isClosed(err):
		return fmt.Sprintf("the connection to %s was closed before a response came", host)
	default:
		return fmt.Sprintf("the connection to %s failed", host)
	}
}
