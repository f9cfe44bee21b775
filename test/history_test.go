// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"pgregory.net/rapid"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// steps draws the events of a history. Reads and waits are the most, as in life.
func steps(jumps bool) *rapid.Generator[step] {
	spans := []time.Duration{
		time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 11 * time.Second, time.Minute, 6 * time.Minute,
		10 * time.Minute, 16 * time.Minute, 40 * time.Minute, 61 * time.Minute, 3 * time.Hour,
	}
	kinds := []simulator.FaultKind{
		"", simulator.FaultSlow, simulator.FaultSlow, simulator.FaultDown, simulator.FaultRefuse, simulator.FaultThrottled,
		simulator.FaultCut, simulator.FaultHTML,
	}
	whats := []string{
		"read", "read", "read", "read", "read", "wait", "wait", "wait", "wait", "wait", "fault", "fault", "reject", "rotate",
		"revoke", "revoke one", "change", "delete", "pause", "resume", "reload", "crash",
	}
	if jumps {
		whats = append(whats, "jump", "suspend")
	}
	return rapid.Custom(func(t *rapid.T) step {
		s := step{what: rapid.SampledFrom(whats).Draw(t, "what")}
		switch s.what {
		case "read":
			s.n = rapid.IntRange(1, 6).Draw(t, "readers")
		case "reject", "revoke one":
			s.n = rapid.IntRange(0, 3).Draw(t, "token")
		case "wait", "suspend":
			s.span = rapid.SampledFrom(spans).Draw(t, "span")
		case "jump":
			s.span = rapid.SampledFrom(spans).Draw(t, "span") * time.Duration(rapid.SampledFrom([]int{-1, 1}).Draw(t, "way"))
		case "fault":
			s.kind = rapid.SampledFrom(kinds).Draw(t, "kind")
			if s.kind == simulator.FaultSlow {
				s.span = rapid.SampledFrom([]time.Duration{200 * time.Millisecond, 5 * time.Second, 30 * time.Second}).Draw(t, "delay")
			}
		case "change":
			s.n = rapid.IntRange(0, 2).Draw(t, "verified, aside")
		}
		return s
	})
}

// Run more of these with: go test -run TestHistory_ ./test -rapid.checks=5000.

func TestHistory_RandomOperations(t *testing.T) { checkHistories(t, false) }

func TestHistory_RandomOperationsAndClock(t *testing.T) { checkHistories(t, true) }

// checkHistories draws scenarios and runs each in a bubble of its own, which also notices what hangs and what is left running.
func checkHistories(t *testing.T, jumps bool) {
	t.Helper()
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := scenario{
			ttl:     rapid.SampledFrom([]time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}).Draw(rt, "life"),
			percent: rapid.SampledFrom([]int{66, 66, 10, 100}).Draw(rt, "rotation_percent"),
			calm:    rapid.Bool().Draw(rt, "calm"),
			steps:   rapid.SliceOfN(steps(jumps), 1, 40).Draw(rt, "steps"),
		}
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = runHistory(t, p) })
		if len(wrong) > 0 {
			rt.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// step is one event of a history.
type step struct {
	what string
	n    int           // how many readers, or which token of those seen
	span time.Duration // how long, or by how much
	kind simulator.FaultKind
}

// GoString shows a step in a history that went wrong.
func (s step) GoString() string {
	text := s.what
	if s.n > 0 {
		text += fmt.Sprintf(" %d", s.n)
	}
	if s.span != 0 {
		text += " " + s.span.String()
	}
	if s.kind != "" {
		text += " " + string(s.kind)
	}
	return text
}

// history is a run of steps, with all that must hold.
type history struct {
	*testMount

	ttl     time.Duration
	percent int

	mu         sync.Mutex
	wrong      []string
	seen       []string       // token IDs, in the order in which they were first served
	generation int            // of the settings in force, by what writes have returned
	writing    int            // of the newest settings that a write has tried
	revoked    map[string]int // by token ID: the number of the revocation that has returned
	absent     bool           // the config was deleted, and is not written again
	paused     bool
	epoch      int          // counts what ends absence and pause, so that a reader knows whether it met one for all its time
	open       atomic.Int64 // reads and writes that have not returned
	changing   atomic.Int64 // changes that have not returned
	setBack    atomic.Int64 // when the wall clock was last set back, by the upstream's clock
	suspended  atomic.Int64 // when the machine was last suspended, likewise
	blurred    atomic.Int64 // setBack, where the plugin was restarted soon after; or suspended, where a clock set back hides it
	slept      time.Time    // when the machine was last suspended, by its own monotonic clock
	turned     time.Time    // when the wall clock was last set back, likewise
	unsure     bool         // whether there is a config
	forced     []time.Time  // when an operator did what makes the engine log in anew
	restarts   []time.Time
	jumped     bool
}

// clerk is the user name of a generation.
func clerk(generation int) string { return fmt.Sprintf("clerk%03d", generation) }

// settings are those of a generation: another user, so that each token shows its generation.
func (w *history) settings(generation int) map[string]any {
	label := clerk(generation)
	w.Simulator.SetAccount(jwtAccount(withTTL(w.ttl), func(a *simulator.Account) { a.Username = label }))
	return jwtConfig(
		"username", label,
		"token_url", upstreamURL+"/api/v2/token-auth/?label="+label, "refresh_url", upstreamURL+"/api/v2/api-token-refresh/",
		"headers", map[string]any{"Productid": "einvoicing_global"},
		"refresh_headers", map[string]any{"Service": "online_service"},
		"default_token_ttl", int(w.ttl.Seconds()), "rotation_percent", w.percent,
	)
}

// scenario is what a history is made of.
type scenario struct {
	ttl     time.Duration
	percent int
	// calm lets each step come to rest before the next.
	calm  bool
	steps []step
}

// runHistory runs a history and returns what was wrong in it.
func runHistory(t *testing.T, p scenario) []string {
	t.Helper()
	w := &history{testMount: newLatencyMount(t), ttl: p.ttl, percent: p.percent, revoked: make(map[string]int)}
	w.EveryMinute()
	data := w.settings(0)
	data["verify_connection"] = false
	w.write("config/gst", data)
	w.write("role/app", map[string]any{"config": "gst"})
	w.write("role/still", map[string]any{"config": "gst", "lease": false})
	for _, s := range p.steps {
		w.apply(s)
		if p.calm {
			synctest.Wait()
		}
	}
	w.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

func (w *history) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// inBackground runs f in a goroutine of its own: what follows in the history happens while it is under way.
func (w *history) inBackground(f func()) {
	w.open.Add(1)
	go func() {
		defer w.open.Add(-1)
		f()
	}()
}

// apply makes one step happen.
func (w *history) apply(s step) {
	switch s.what {
	case "read":
		for n := range s.n {
			w.inBackground(func() { w.reader([]string{"app", "still"}[n%2], nil) })
		}
	case "reject":
		if id := w.oneSeen(s.n); id != "" {
			w.inBackground(func() { w.reader("app", reject(id)) })
		}
	case "wait":
		time.Sleep(s.span)
	case "fault":
		w.Simulator.SetFault("", simulator.Fault{Kind: s.kind, Delay: s.span})
	case "rotate":
		w.inBackground(w.forceRotation)
	case "revoke":
		w.inBackground(func() { w.revocation("") })
	case "revoke one":
		if id := w.oneSeen(s.n); id != "" {
			w.inBackground(func() { w.revocation(id) })
		}
	case "change":
		w.written()
		w.changing.Add(1)
		if s.n > 1 {
			w.inBackground(func() { w.change(true) }) // a crash may cut it off
			break
		}
		w.change(s.n > 0)
	case "delete":
		w.written()
		w.remove()
	case "pause", "resume":
		w.written()
		w.pause(s.what == "pause")
	case "reload", "crash":
		w.restarts = append(w.restarts, time.Now())
		if time.Since(w.turned) <= 2*time.Minute { // nothing has been corrected in storage yet
			w.blurred.Store(w.setBack.Load())
		}
		if s.what == "crash" {
			w.LoseStorage()
		}
		w.Reload()
	case "jump":
		w.jumped = true
		w.Clock.Jump(s.span)
		if s.span < 0 {
			w.setBack.Store(w.upstreamNow().UnixNano())
			w.turned = time.Now()
			w.hide()
			if n := len(w.restarts); n > 0 && w.restarts[n-1].Equal(w.turned) { // before the new process has looked at it
				w.blurred.Store(w.setBack.Load())
			}
		}
	case "suspend":
		w.jumped = true
		w.suspended.Store(w.upstreamNow().UnixNano())
		w.slept = time.Now()
		w.hide()
		w.Suspend(s.span)
	default:
		w.fault("no such step: %s", s.what)
	}
}

// hide notes a suspension and a set-back of the clock that fell between two of the minute's checks, in whichever order: the wall
// clock shows only their sum then, and no program can tell how long the machine slept.
func (w *history) hide() {
	apart := w.slept.Sub(w.turned).Abs()
	if !w.slept.IsZero() && !w.turned.IsZero() && apart <= time.Minute {
		w.blurred.Store(max(w.blurred.Load(), w.suspended.Load()))
	}
}

// oneSeen is one of the tokens that were seen, the newest first.
func (w *history) oneSeen(n int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 {
		return ""
	}
	return w.seen[max(0, len(w.seen)-1-n)]
}

// reader reads once and judges what it gets by what was known before it began.
func (w *history) reader(role string, data map[string]any) {
	w.mu.Lock()
	generation, revoked := w.generation, len(w.revoked)
	known := make(map[string]bool, revoked)
	for id := range w.revoked {
		known[id] = true
	}
	mayNot, epoch := w.absent || w.paused, w.epoch
	w.mu.Unlock()
	began, away := time.Now(), w.Clock.Suspended()
	a, err := w.ask(context.Background(), role, data)
	if took := time.Since(began); took > 5*time.Minute {
		w.fault("a read took %s", took)
	}
	if err != nil {
		return
	}
	username, ends := claims(a.access)
	now, slept := time.Now().Add(away), w.Clock.Suspended() != away
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.seen, a.id) {
		w.seen = append(w.seen, a.id)
	}
	say := func(format string, args ...any) { w.wrong = append(w.wrong, fmt.Sprintf(format, args...)) }
	if known[a.id] {
		say("a token was served that had been revoked before the read began")
	}
	if username < clerk(generation) {
		say("a token of %s was served, when %s was in force before the read began", username, clerk(generation))
	}
	if mayNot && epoch == w.epoch {
		say("a token was served of a config that was paused or deleted before the read began")
	}
	if slept {
		return // the machine was suspended while the response was made
	}
	if ends.Add(-w.ttl).UnixNano() <= w.blurred.Load()+int64(time.Second) {
		return // how long ago it was issued no clock of the host tells; for a restart TestClock_SetBackLengthensNoTokenLife judges that
	}
	if end := now.Add(a.lease); end.After(ends) {
		say("a lease of %s outlives its token by %s", a.lease, end.Sub(ends))
	}
	if !now.Before(ends) {
		say("a token was served that had been dead for %s", now.Sub(ends))
	}
}

// upstreamNow is the upstream's clock.
func (w *history) upstreamNow() time.Time { return time.Now().Add(w.Clock.Suspended()) }

// send sends a request to whichever process runs, and reports whether it was done.
func (w *history) send(op logical.Operation, path string, data map[string]any) (*logical.Response, bool) {
	_, resp, err := w.Do(context.Background(), op, path, data)
	return resp, err == nil && (resp == nil || !resp.IsError())
}

func (w *history) forceRotation() {
	w.mu.Lock()
	w.forced = append(w.forced, time.Now())
	w.mu.Unlock()
	w.send(logical.UpdateOperation, "rotate/gst", nil)
}

func (w *history) revocation(id string) {
	w.mu.Lock()
	seen := slices.Clone(w.seen)
	w.forced = append(w.forced, time.Now()) // it cuts off a login in flight, whose response is discarded
	w.mu.Unlock()
	var data map[string]any
	if id != "" {
		data, seen = map[string]any{"token_id": id}, []string{id}
	}
	resp, done := w.send(logical.UpdateOperation, "revoke/gst", data)
	if !done {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if tokens, ok := resp.Data["tokens"].(map[string]any); ok {
		for id := range tokens {
			w.revoked[id]++
		}
	}
	for _, id := range seen {
		w.revoked[id]++
	}
}

// change writes settings of a new generation.
func (w *history) change(verify bool) {
	w.mu.Lock()
	w.writing++
	next, absent, run := w.writing, w.absent, w.Backend()
	w.epoch++
	w.absent = false // a reader may be served from here on
	w.mu.Unlock()
	data := w.settings(next)
	data["verify_connection"] = verify
	_, done := w.send(logical.UpdateOperation, "config/gst", data)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changing.Add(-1)
	switch {
	case done:
		w.generation, w.unsure = next, false
	case run == w.Backend():
		w.absent = absent
	default:
		w.unsure = absent // the plugin died meanwhile: the config may have been written
	}
}

// written waits until no change is under way: the order of two writes at a time is for the engine to choose.
func (w *history) written() {
	for range 10 * 60 {
		if w.changing.Load() == 0 {
			return
		}
		time.Sleep(time.Second)
	}
	w.fault("a write of the config has not returned after 10 minutes")
}

func (w *history) remove() {
	if _, done := w.send(logical.DeleteOperation, "config/gst", nil); !done {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.absent, w.paused, w.unsure = true, false, false
}

func (w *history) pause(paused bool) {
	w.mu.Lock()
	absent := w.absent
	if !paused {
		w.epoch++
		w.paused = false
	}
	w.mu.Unlock()
	if absent {
		return
	}
	if _, done := w.send(logical.UpdateOperation, "config/gst", map[string]any{"paused": paused}); !done {
		w.mu.Lock()
		unsure := w.unsure
		w.mu.Unlock()
		if !unsure {
			w.fault("paused=%t was refused", paused)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused, w.unsure = paused, false
}

// end heals all that is broken, and checks that the engine recovers and that nothing hangs.
func (w *history) end() {
	w.Simulator.SetFault("", simulator.Fault{})
	w.written()
	w.changing.Add(1)
	w.change(false)
	w.pause(false)
	advance(3 * time.Minute)
	if open := w.open.Load(); open > 0 {
		w.fault("%d requests have not returned after 3 minutes", open)
	}
	w.forceRotation()
	if a, err := w.ask(context.Background(), "app", nil); err != nil {
		w.fault("after everything was healed: %v", err)
	} else if !w.Simulator.TokenAlive(a.access) {
		w.fault("after everything was healed a dead token is served")
	}
	for _, label := range w.Upstream.Concurrent() {
		w.fault("more than one login of %s was in flight at once", label)
	}
	w.pace()
}

// pace checks that no login followed a refusal of the same credentials within 15 minutes, unless an operator forced it.
func (w *history) pace() {
	if w.jumped {
		return // the engine's backoff is by the wall clock
	}
	last := make(map[string]mounttest.Login)
	for _, a := range w.Upstream.Logins() {
		before, known := last[a.Label]
		last[a.Label] = a
		if !known || before.Status != 206 || a.At.Sub(before.At) >= 15*time.Minute {
			continue
		}
		forced := slices.ContainsFunc(w.forced, func(at time.Time) bool { return !at.Before(before.At) && !at.After(a.At) })
		// The plugin may have died before the response reached it.
		unheard := slices.ContainsFunc(w.restarts, func(at time.Time) bool {
			return !at.Before(before.At) && at.Before(before.At.Add(time.Second))
		})
		if !forced && !unheard {
			w.fault("a login of %s came %s after the same credentials were refused", a.Label, a.At.Sub(before.At))
		}
	}
}
