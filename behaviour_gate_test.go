// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

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

// gate stands before the simulator: it notes when logins arrive and how many are in flight at a time, and can hold back an
// answer after the upstream has done its part. A label, given as ?label= in a token_url, tells configs apart.
type gate struct {
	next http.Handler

	mu       sync.Mutex
	arrivals []*arrival
	flying   map[*http.Request]string
	most     map[string]int // by label, and "" for all together
	held     chan struct{}  // nil where answers are not held back
}

// arrival is one login that reached the upstream.
type arrival struct {
	label string
	at    time.Time
	// status is what the upstream answered, 0 where it did not.
	status int
}

func newGate(next http.Handler) *gate {
	return &gate{next: next, flying: make(map[*http.Request]string), most: make(map[string]int)}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	// With the body read to its end, net/http notices when the client hangs up.
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.Contains(r.URL.Path, "refresh") {
		g.mu.Lock()
		next := g.next
		g.mu.Unlock()
		next.ServeHTTP(w, r)
		return
	}
	a, held := g.enter(r)
	defer g.leave(r)
	pass(time.Nanosecond) // whoever hung up at this very moment is noticed first
	g.count()
	watched := &heldWriter{ResponseWriter: w, ctx: r.Context(), held: held}
	g.mu.Lock()
	next := g.next
	g.mu.Unlock()
	next.ServeHTTP(watched, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	a.status = watched.status
}

func (g *gate) enter(r *http.Request) (a *arrival, held chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	label := r.URL.Query().Get("label")
	a = &arrival{label: label, at: time.Now()}
	g.arrivals = append(g.arrivals, a)
	g.flying[r] = label
	return a, g.held
}

func (g *gate) leave(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.flying, r)
}

// count takes the number of logins in flight whose client still waits.
func (g *gate) count() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := make(map[string]int)
	for r, label := range g.flying {
		if r.Context().Err() == nil {
			now[label]++
			if label != "" {
				now[""]++
			}
		}
	}
	for label, n := range now {
		g.most[label] = max(g.most[label], n)
	}
}

// mostAtOnce is the most logins that were in flight together, of a label or ("") of all.
func (g *gate) mostAtOnce(label string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most[label]
}

// labels are those of which more than one login was in flight.
func (g *gate) doubled() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := maps.Clone(g.most)
	maps.DeleteFunc(most, func(label string, n int) bool { return label == "" || n < 2 })
	return slices.Sorted(maps.Keys(most))
}

// times are when logins arrived.
func (g *gate) times() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	var times []time.Time
	for _, a := range g.arrivals {
		times = append(times, a.at)
	}
	return times
}

// all are the logins that arrived.
func (g *gate) all() []arrival {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]arrival, 0, len(g.arrivals))
	for _, a := range g.arrivals {
		all = append(all, *a)
	}
	return all
}

// answers puts another upstream in the place of the simulator.
func (g *gate) answers(next http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = next
}

// hold holds back the answers of the logins that arrive from now on, until release is called.
func (g *gate) hold() (release func()) {
	held := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = held
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.held = nil
		close(held)
	}
}

// heldWriter notes an answer's status, and lets it out only when it is released, or its client has gone.
type heldWriter struct {
	http.ResponseWriter
	ctx    context.Context //nolint:containedctx // it lives as long as the request
	held   chan struct{}   // nil where it is not held back
	status int
}

func (w *heldWriter) WriteHeader(status int) {
	w.status = status
	if w.held != nil {
		select {
		case <-w.held:
		case <-w.ctx.Done():
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the simulator drop the connection.
func (w *heldWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// forget sets all counts to zero.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrivals, g.most = nil, make(map[string]int)
}
