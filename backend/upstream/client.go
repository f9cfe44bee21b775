// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout   = 15 * time.Second
	defaultUserAgent = "mastersindia-upstream"
)

// client is the Client of all protocols. Nothing in it changes once it is made, but the skew.
type client struct {
	account   Account
	protocol  protocol
	spec      Spec
	network   network
	userAgent string
	now       func() time.Time
	// skew is what a login adds to our clock, a time.Duration: 0 unless a login by our clock was refused, and the response had
	// another Date.
	skew atomic.Int64
}

// New returns a Client for the account. Its errors name the field that is at fault, as users know it, and repeat no value.
func New(a Account, o Options) (Client, error) {
	p, spec, err := protocolOf(a)
	if err != nil {
		return nil, err
	}
	if _, ok := parseURL(a.TokenURL, "https", "http"); !ok {
		return nil, errors.New("token_url must be an http or https URL")
	}
	if _, ok := parseURL(a.RefreshURL, "https", "http"); !ok && a.CanRefresh() {
		return nil, errors.New("refresh_url must be an http or https URL")
	}
	n, err := newNetwork(a, o)
	if err != nil {
		return nil, err
	}
	c := &client{account: withDefaults(a, spec), protocol: p, spec: spec, network: n, userAgent: o.UserAgent, now: o.Now}
	if c.userAgent == "" {
		c.userAgent = defaultUserAgent
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// protocolOf picks the protocol and checks that it knows the account's format.
func protocolOf(a Account) (protocol, Spec, error) {
	p, ok := protocolNamed(a.Protocol)
	if !ok {
		var names []Protocol
		for _, s := range Specs() {
			names = append(names, s.Protocol)
		}
		return nil, Spec{}, fmt.Errorf("protocol must be one of %q", names)
	}
	spec := p.spec()
	switch {
	case a.Format == "" || slices.Contains(spec.Formats, a.Format):
		return p, spec, nil
	case len(spec.Formats) == 0:
		return nil, Spec{}, fmt.Errorf("request_format is not used by protocol %s", a.Protocol)
	default:
		return nil, Spec{}, fmt.Errorf("request_format must be one of %q for protocol %s", spec.Formats, a.Protocol)
	}
}

// parseURL parses a URL that must have one of the schemes, and a host. The parser's error would repeat the URL.
func parseURL(text string, schemes ...string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	return u, err == nil && slices.Contains(schemes, u.Scheme) && u.Hostname() != ""
}

// withDefaults fills in what the account leaves open, and makes the copy independent of the caller's maps.
func withDefaults(a Account, s Spec) Account {
	a.Headers, a.RefreshHeaders = maps.Clone(a.Headers), maps.Clone(a.RefreshHeaders)
	if a.Format == "" {
		a.Format = s.DefaultFormat()
	}
	if a.DefaultTokenTTL <= 0 {
		a.DefaultTokenTTL = s.DefaultTokenTTL
	}
	if a.RequestTimeout <= 0 {
		a.RequestTimeout = defaultTimeout
	}
	return a
}

// Login implements [Client].
func (c *client) Login(ctx context.Context, redact ...string) (*Token, error) {
	until := time.Now().Add(c.account.RequestTimeout)
	m := c.newLogin()
	t, err := c.exchange(ctx, m, redact)
	skew, isRefused := refusedAt(err)
	if m.validAt(c.now().Add(skew)) {
		skew = 0 // the Date was a front end's, and that clock is wrong
	}
	left := time.Until(until)
	if !isRefused || m.validAt(c.now().Add(skew)) || left <= 0 {
		return t, err
	}
	c.skew.Store(int64(skew))
	m = c.newLogin()
	m.timeout = left
	return c.exchange(ctx, m, redact)
}

func (c *client) newLogin() *message {
	m := c.protocol.login(&c.account, c.upstreamTime())
	m.op = opLogin
	return m
}

// refusedAt reports whether a response came, and says that it does not accept the request; and how its clock differs from ours, 0
// where it has none.
func refusedAt(err error) (skew time.Duration, is bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status == 0 || e.Kind != Rejected && e.Kind != Invalid && e.Kind != Malformed {
		return 0, false
	}
	return e.ClockSkew, true
}

// upstreamTime returns the time for the next login: on the upstream's clock, if one by ours was refused.
func (c *client) upstreamTime() time.Time { return c.now().Add(time.Duration(c.skew.Load())) }

// Refresh implements [Client].
func (c *client) Refresh(ctx context.Context, refreshToken string, redact ...string) (*Token, error) {
	p, ok := c.protocol.(refresher)
	if !ok || c.account.RefreshURL == "" {
		return nil, ErrRefreshUnsupported
	}
	m := p.refresh(&c.account, refreshToken)
	m.op, m.secrets = opRefresh, append(m.secrets, refreshToken)
	return c.exchange(ctx, m, redact)
}

// Secrets returns the account's secrets, which must appear in no message.
func (a Account) Secrets() []string {
	var secrets []string
	for _, c := range a.Credentials() {
		if c.Secret {
			secrets = append(secrets, c.Value)
		}
	}
	return secrets
}

// exchange sends one request and makes a token of the response. Its error holds none of redact, nor another secret.
func (c *client) exchange(ctx context.Context, m *message, redact []string) (*Token, error) {
	a, err := c.send(ctx, m)
	if err != nil {
		return nil, err
	}
	t, e := c.conclude(a, m.op, slices.Concat(c.account.Secrets(), m.secrets, redact))
	if e != nil {
		return nil, e
	}
	return t, nil
}

// conclude reads a response: it is either a token or an error.
func (c *client) conclude(a *response, op string, secrets []string) (*Token, *Error) {
	r := &grant{problem: a.problem}
	if a.problem == "" {
		r = c.protocol.read(a.text(), c.spec)
	}
	var problem problemText
	if a.succeeded(r) {
		var t *Token
		if t, problem = newToken(&c.account, a, r); problem == "" {
			return t, nil
		}
	}
	s := newScrubber(slices.Concat(secrets, r.exposed()))
	if problem != "" {
		return nil, a.malformed(op, r, s, problem)
	}
	return nil, a.failure(op, r, s)
}

// send sends the request once and reads the response. Its connections end with it. The transport is used without an
// http.Client, which would follow redirects: a login must go to where the config says and nowhere else.
func (c *client) send(caller context.Context, m *message) (*response, error) {
	ctx, cancel := context.WithTimeout(caller, cmp.Or(m.timeout, c.account.RequestTimeout))
	defer cancel()
	p := &progress{}
	traced := httptrace.WithClientTrace(ctx, p.trace(cancel))
	req, err := m.request(traced, c.userAgent)
	if err != nil {
		return nil, &Error{Kind: Invalid, Op: m.op, Detail: "the account's URL and headers do not make a valid request"}
	}
	// A reading of the monotonic clock would count no time while the machine is suspended.
	sent := c.now().Round(0)
	resp, err := c.network.transport(traced).RoundTrip(req)
	if err != nil {
		return nil, c.transportError(ctx, caller, req, m.op, p, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := &response{status: resp.StatusCode, header: resp.Header, sent: sent, received: c.now().Round(0)}
	if err := a.readBody(resp); err == nil {
		if req.URL.Scheme == "http" && a.expectsTLS() {
			a.problem = problemPlain
		}
		return a, nil
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return nil, cancelled(m.op)
	}
	if kind, _ := a.classifyStatus(); ctx.Err() != nil && kind == "" {
		return nil, c.timedOut(caller, m.op, a.status)
	}
	// What a status says that needs no body stays true without one: refused credentials must not be sent once more only
	// because the page that goes with them did not come to its end.
	a.problem = problemCut
	return a, nil
}

// readBody reads the body to its end, unless it is too long.
func (a *response) readBody(resp *http.Response) error {
	if a.status < 200 {
		// A 101 has no body but a connection that is ours from now on, and no deadline would end the reading.
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if len(body) > maxBody {
		a.problem = problemLong
		return nil
	}
	a.body = body
	return err
}
