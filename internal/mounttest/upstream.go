// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mounttest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Upstream stands before the simulator: it records every request with its response, notes when logins arrive and how many are in
// flight at a time, and can hold back a response after the upstream has done its part. A label, given as ?label= in a token_url,
// tells configs apart.
type Upstream struct {
	// Latency is what each login takes besides what the simulator makes of it. It can only be set before the first start.
	Latency time.Duration

	mu       sync.Mutex
	next     http.Handler
	requests []Request
	logins   []*Login
	inFlight map[*http.Request]string
	most     map[string]int // by label, and "" for all together
	held     chan struct{}  // nil where responses are not held back
}

// Request is one request as the upstream got it.
type Request struct {
	Method string
	URL    string // with the host
	Header http.Header
	Body   string
	// Response is the body of the response, as far as there was one.
	Response string
}

// Text is all of the request, to look for something in it.
func (r Request) Text() string {
	var b strings.Builder
	_ = r.Header.Write(&b) // a strings.Builder does not fail
	return r.Method + " " + r.URL + "\n" + b.String() + "\n" + r.Body
}

// Login is one login that reached the upstream.
type Login struct {
	Label string
	At    time.Time
	// Status is that of the response, 0 where there was none.
	Status int
}

func newUpstream(next http.Handler) *Upstream {
	return &Upstream{next: next, inFlight: make(map[*http.Request]string), most: make(map[string]int)}
}

// ServeHTTP implements http.Handler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	// With the body read to its end, net/http notices when the client hangs up.
	r.Body = io.NopCloser(bytes.NewReader(body))
	login := !strings.Contains(r.URL.Path, "refresh")
	response := &recorder{ResponseWriter: w, ctx: r.Context()}
	defer u.record(r, string(body), response)()
	if !login {
		u.handler().ServeHTTP(response, r)
		return
	}
	arrived, held, others := u.arrive(r)
	defer u.leave(r)
	latency := u.Latency
	if others {
		latency = max(latency, time.Nanosecond) // a client that hung up at this very moment is noticed first
	}
	time.Sleep(latency)
	u.count()
	response.held = held
	u.handler().ServeHTTP(response, r)
	u.mu.Lock()
	defer u.mu.Unlock()
	arrived.Status = response.status
}

// record records a request, and with done its response.
func (u *Upstream) record(r *http.Request, body string, response *recorder) (done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.requests)
	u.requests = append(u.requests, Request{
		Method: r.Method, URL: "http://" + r.Host + r.URL.RequestURI(), Header: r.Header.Clone(), Body: body,
	})
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if n < len(u.requests) { // else they were forgotten meanwhile
			u.requests[n].Response = response.body.String()
		}
	}
}

func (u *Upstream) handler() http.Handler {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.next
}

func (u *Upstream) arrive(r *http.Request) (login *Login, held chan struct{}, others bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	label := r.URL.Query().Get("label")
	login = &Login{Label: label, At: time.Now()}
	u.logins = append(u.logins, login)
	u.inFlight[r] = label
	return login, u.held, len(u.inFlight) > 1
}

func (u *Upstream) leave(r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.inFlight, r)
}

// count counts the logins in flight whose client still waits.
func (u *Upstream) count() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := make(map[string]int)
	for r, label := range u.inFlight {
		if r.Context().Err() == nil {
			now[label]++
			if label != "" {
				now[""]++
			}
		}
	}
	for label, n := range now {
		u.most[label] = max(u.most[label], n)
	}
}

// Requests are all requests so far.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// Logins are the logins that arrived.
func (u *Upstream) Logins() []Login {
	u.mu.Lock()
	defer u.mu.Unlock()
	logins := make([]Login, 0, len(u.logins))
	for _, login := range u.logins {
		logins = append(logins, *login)
	}
	return logins
}

// LoginTimes are when logins arrived.
func (u *Upstream) LoginTimes() []time.Time {
	var times []time.Time
	for _, login := range u.Logins() {
		times = append(times, login.At)
	}
	return times
}

// MostInFlight is the most logins that were in flight together, of a label or ("") of all.
func (u *Upstream) MostInFlight(label string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.most[label]
}

// Concurrent are the labels of which more than one login was in flight.
func (u *Upstream) Concurrent() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	most := maps.Clone(u.most)
	maps.DeleteFunc(most, func(label string, n int) bool { return label == "" || n < 2 })
	return slices.Sorted(maps.Keys(most))
}

// Reset forgets all requests and logins.
func (u *Upstream) Reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests, u.logins, u.most = nil, nil, make(map[string]int)
}

// Replace puts another upstream in the place of the simulator.
func (u *Upstream) Replace(next http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next = next
}

// Hold holds back the responses to logins that arrive from now on, until release is called.
func (u *Upstream) Hold() (release func()) {
	held := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held = held
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.held = nil
		close(held)
	}
}

// recorder keeps a response's status and a copy of its body, and lets it out only when it is released, or its client has gone.
type recorder struct {
	http.ResponseWriter

	ctx    context.Context //nolint:containedctx // it lives as long as the request
	held   chan struct{}   // nil where it is not held back
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	if r.held != nil {
		select {
		case <-r.held:
		case <-r.ctx.Done():
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets the simulator drop the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
