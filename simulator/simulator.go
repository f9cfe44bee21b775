// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what New needs. The zero value serves no account.
type Options struct {
	Accounts []Account
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnRequest, if set, is called for every request after its response. It must be safe for concurrent use.
	OnRequest func(RequestInfo)
	// OnSecret, if set, is called with every token before the response that contains it, and every assertion that comes in: so a
	// test can watch for leaks of them, whatever a protocol calls them. It must be safe for concurrent use.
	OnSecret func(what Secret, value string)
}

// Secret says what a secret is.
type Secret string

// What is secret besides the credentials.
const (
	AccessToken  Secret = "access token"
	RefreshToken Secret = "refresh token"
	Assertion    Secret = "assertion"
)

// RequestInfo describes one request that was handled. It holds no secret.
type RequestInfo struct {
	Method string
	// Path is without its query, and without segments long enough to be a token.
	Path string
	// Status is 0 where the connection was dropped without a response.
	Status int
	// Account is "protocol/name" where the request named an account that exists, or had its token; otherwise empty.
	Account  string
	Duration time.Duration
}

// Simulator serves the vendors' endpoints. It is safe for concurrent use.
type Simulator struct {
	now       func() time.Time
	offset    atomic.Int64 // a time.Duration: see SetClockOffset
	onRequest func(RequestInfo)
	onSecret  func(what Secret, value string)
	routes    map[string]opener

	hmacKey []byte

	mu       sync.Mutex // guards what follows; never held over a signature, a wait or a response
	accounts map[accountKey]Account
	// assertions are those that were accepted and live still, by client and jti.
	assertions map[string]time.Time
	tokens     tokenStore
	sweepAt    int // how many tokens there may be until dead ones are forgotten, for long runs
	faults     map[Protocol]*Fault
	counters   counterStore
}

// rsaKey is the key of FirstVision's signatures. It is made when first needed, since that takes a good part of a second and most
// tests need none, and then serves all simulators of the process: which of them issued a token, they know without it.
//
//nolint:gochecknoglobals // see above
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// New makes a simulator that knows no token yet: none outlives the one that issued it.
func New(o Options) (*Simulator, error) {
	s := &Simulator{
		now:       o.Now,
		onRequest: o.OnRequest,
		onSecret:  o.OnSecret,
		hmacKey:   []byte(rand.Text()),
		routes:    make(map[string]opener),
		accounts:  make(map[accountKey]Account, len(o.Accounts)),
		tokens:    make(tokenStore),
		faults:    make(map[Protocol]*Fault),

		assertions: make(map[string]time.Time),
		counters:   newCounterStore(),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.onSecret == nil {
		s.onSecret = func(Secret, string) {}
	}
	for _, v := range vendors() {
		maps.Copy(s.routes, v.routes(s))
	}
	for _, a := range o.Accounts {
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("account %q: %w", a.key(), err)
		}
		if _, ok := s.accounts[a.key()]; ok {
			return nil, fmt.Errorf("account %q is given twice", a.key())
		}
		s.SetAccount(a)
	}
	return s, nil
}

// SetAccount adds an account, or replaces the one of the same protocol and name. Tokens that are out stay alive, as a changed
// password leaves them alive upstream. An account that does not pass Validate can never log in.
func (s *Simulator) SetAccount(a Account) {
	if prepare := vendorOf(a.Protocol).prepare; prepare != nil {
		prepare()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[a.key()] = a.withDefaults()
}

// SetClockOffset orders a wrong clock: it moves every clock that the simulator shows or uses (Date header, iat, exp, and what
// is still alive) by d.
func (s *Simulator) SetClockOffset(d time.Duration) { s.offset.Store(int64(d)) }

// clock is the simulator's own time, right or wrong, without a monotonic reading: the vendors compare wall clocks.
func (s *Simulator) clock() time.Time { return s.now().Add(time.Duration(s.offset.Load())).Round(0) }

// account finds an account by what a login calls itself.
func (s *Simulator) account(p Protocol, name string) (Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[accountKey{p, name}]
	return a, ok
}

// ServeHTTP handles one request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ex := &exchange{w: w, r: r, clock: s.clock}
	s.serve(ex)
	if s.onRequest == nil {
		return
	}
	info := RequestInfo{Method: r.Method, Path: shownPath(r.URL.Path), Status: ex.status, Duration: time.Since(began)}
	if key := cmp.Or(ex.account, ex.stranger); key.name != "" {
		info.Account = key.String()
	}
	s.onRequest(info)
}

func (s *Simulator) serve(ex *exchange) {
	if path := ex.r.URL.Path; path+"/" == controlBase || strings.HasPrefix(path, controlBase) {
		s.serveControl(ex)
		return
	}
	if !ex.readBody() {
		return
	}
	at := s.route(ex.r.URL.Path)(ex)
	if _, ok := s.account(at.protocol, at.account); ok {
		ex.account = accountKey{at.protocol, at.account}
	}
	s.countArrival(ex, at.kind)
	if ex.stalled() {
		s.count(ex, func(c *Counts) { c.Faulted++ })
		ex.waitForever()
		return
	}
	fault := s.takeFault(at)
	if fault.Kind != "" {
		s.count(ex, func(c *Counts) { c.Faulted++ })
	}
	granted, responded := ex.respond(at, fault)
	if responded {
		s.countOutcome(ex, at.kind, granted)
	}
}
