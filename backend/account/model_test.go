// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"fmt"
	"hash/maphash"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// outage is what may go wrong with a login.
type outage int

const (
	refused outage = 1 << iota
	throttled
	down
	lost
	late
	blocked
)

// scenario is what may happen in one exploration, which is exhaustive as far as it goes: all of it together would be too much.
type scenario struct {
	name    string
	percent int
	outages outage
	changes []change
	left    budget
	bounds  bounds

	repeats         bool // the upstream gives the same token again
	tellsNoLife     bool // and none longer than default_token_ttl says
	rejected        bool // readers whose token an API has refused
	forced          bool
	writesHere      bool
	writesElsewhere bool
	verifies        bool
	invalidates     bool
	evict           bool
	sweep           bool
	standby         bool
	kills           bool
	setsBack        bool // the wall clock
	setsAhead       bool // the same, and it is set right later
	sleeps          bool // the machine
	untilTheEnd     bool // time passes until a token has ended, and not less

	// Storage that is slow responds at any time, and otherwise at once. Where it fails, it may respond with an error.
	slowLoads, slowSaves, slowLedger, slowConfig, failures bool

	good *scenario // the same, with storage that works
}

func scenarios() []*scenario {
	settings := []change{changeHeaders, changeCredentials, changePaused}
	return []*scenario{
		{
			name: "reads", outages: refused | throttled | down | late | blocked, rejected: true, forced: true,
			left: budget{crashes: 1, forced: 3},
		},
		{
			name: "storage", outages: down | refused, slowSaves: true, slowLoads: true, slowLedger: true, failures: true, sweep: true,
			forced: true, left: budget{crashes: 2, forced: 2},
		},
		{
			name: "revocation", outages: down, repeats: true, slowSaves: true, failures: true, kills: true, sweep: true, evict: true,
			forced: true, left: budget{crashes: 2, revokes: 2, forced: 1},
		},
		{
			name: "the same token again", outages: down | refused, repeats: true, rejected: true, forced: true,
			left: budget{crashes: 1, revokes: 1, forced: 2},
		},
		{
			name: "settings here", outages: down | refused | throttled, changes: settings, writesHere: true, slowConfig: true,
			slowLoads: true, failures: true, invalidates: true, left: budget{crashes: 1, writes: 3, forced: 1}, forced: true,
		},
		{
			name: "settings elsewhere", outages: down | refused, changes: settings, writesElsewhere: true, slowLoads: true,
			slowSaves: true, failures: true, invalidates: true, left: budget{crashes: 1, writes: 3},
		},
		{
			name: "verification", outages: down | refused | throttled | late, changes: settings, verifies: true, writesHere: true,
			slowConfig: true, slowSaves: true, failures: true, forced: true, sweep: true,
			left: budget{crashes: 1, writes: 3, forced: 1, revokes: 1},
		},
		{
			name: "verification and other clusters", outages: refused, changes: []change{changeHeaders, changeCredentials}, verifies: true,
			writesElsewhere: true, slowConfig: true, slowLoads: true, repeats: true, left: budget{crashes: 1, writes: 3},
		},
		{
			name: "deletion", outages: refused, changes: []change{changeCredentials, changeDeleted}, writesHere: true, writesElsewhere: true,
			verifies: true, slowConfig: true, slowLoads: true, slowSaves: true, evict: true, sweep: true, repeats: true,
			left: budget{crashes: 1, writes: 3, revokes: 1},
		},
		{
			name: "a deleted config whose token is repeated", changes: []change{changeDeleted, changeCredentials},
			writesHere: true, repeats: true, left: budget{crashes: 1, writes: 2, revokes: 1},
		},
		{
			name: "limits", changes: []change{changeLimit}, writesHere: true, repeats: true, forced: true, evict: true,
			left: budget{crashes: 1, writes: 2, forced: 1, revokes: 1},
		},
		{
			name: "limits of an upstream that tells no life", changes: []change{changeLimit, changeAssumed}, tellsNoLife: true,
			writesHere: true, repeats: true, untilTheEnd: true, left: budget{crashes: 1, writes: 2, revokes: 1},
		},
		{
			name: "limits and deletion", changes: []change{changeLimit, changeCredentials, changeDeleted}, tellsNoLife: true,
			writesHere: true, repeats: true, untilTheEnd: true, left: budget{crashes: 1, writes: 4},
		},
		{
			name: "upstreams of several users", changes: []change{changeCredentials}, writesHere: true, repeats: true,
			untilTheEnd: true, left: budget{crashes: 1, writes: 2, revokes: 1},
		},
		{
			name: "a clock that is set back", outages: refused | throttled | down, setsBack: true, slowSaves: true, forced: true, rejected: true, sweep: true,
			left: budget{crashes: 1, setBacks: 2, forced: 1},
		},
		{
			name: "a machine that sleeps", outages: refused | down, sleeps: true, slowSaves: true, rejected: true,
			left: budget{crashes: 1, setBacks: 2},
		},
		{
			name: "limits on a machine that sleeps", changes: []change{changeLimit}, writesHere: true, repeats: true, sleeps: true,
			left: budget{crashes: 1, writes: 2, setBacks: 1},
		},
		{
			name: "a clock that is ahead", changes: []change{changeDeleted, changeCredentials}, writesHere: true, repeats: true,
			setsAhead: true, evict: true, untilTheEnd: true, left: budget{crashes: 1, writes: 2, revokes: 1, setBacks: 1},
		},
		{
			name: "holds of a clock that is ahead", outages: refused | throttled | down, setsAhead: true, forced: true,
			left: budget{setBacks: 1, forced: 1},
		},
		{
			name: "single session", percent: 100, outages: lost | down | refused, changes: []change{changeHeaders}, slowSaves: true,
			failures: true, verifies: true, writesHere: true, slowConfig: true, forced: true, rejected: true,
			left: budget{crashes: 1, forced: 1, writes: 2, revokes: 1},
		},
		{
			name: "single session and pauses", percent: 100, outages: lost, changes: []change{changeHeaders, changePaused}, verifies: true,
			writesHere: true, left: budget{crashes: 1, writes: 3},
		},
		{
			name: "standby", outages: down, standby: true, slowLoads: true, slowSaves: true, slowLedger: true, failures: true,
			changes: settings, writesElsewhere: true, sweep: true, left: budget{crashes: 1, writes: 2},
		},
		{
			name: "bounds of failed logins", bounds: bounds{failedLogins: 2}, outages: refused | down,
			changes: []change{changeHeaders, changeCredentials}, verifies: true, left: budget{crashes: 1, writes: 4},
		},
		{name: "bounds of revocations", bounds: bounds{revoked: 1}, repeats: true, left: budget{crashes: 1, revokes: 2}},
		{
			name: "bounds of tokens", bounds: bounds{superseded: 1, revoked: 2, outbox: 2}, slowLedger: true, repeats: true,
			forced: true, left: budget{crashes: 1, revokes: 3, forced: 3},
		},
		{
			name: "all", outages: down | refused | throttled | late | blocked, changes: []change{
				changeHeaders, changeCredentials, changePaused, changeDeleted,
			}, left: budget{crashes: 2, writes: 3, revokes: 2, forced: 2, setBacks: 1}, repeats: true, rejected: true, forced: true,
			writesHere: true, writesElsewhere: true, verifies: true, invalidates: true, evict: true, sweep: true, kills: true,
			setsBack: true, slowLoads: true, slowSaves: true, slowLedger: true, slowConfig: true, failures: true,
		},
	}
}

// start is the world at the beginning: a config was written, and nothing else has happened.
func (s *scenario) start() *modelWorld {
	if s.percent == 0 {
		s.percent = 66
	}
	good := *s
	good.slowLoads, good.slowSaves, good.slowLedger, good.slowConfig, good.failures = false, false, false, false, false
	s.good = &good
	return &modelWorld{
		scenario: s, state: State{bounds: s.bounds}, active: true, true: 1000 * time.Hour, since: 1000 * time.Hour, left: s.left,
		config: modelAccount(modelSettings{assumed: modelLife}, s.percent, "g0"),
	}
}

// setsClocks reports whether the clocks go otherwise than time.
func (s *scenario) setsClocks() bool { return s.setsBack || s.setsAhead || s.sleeps }

func (s *scenario) hasLimits() bool { return slices.Contains(s.changes, changeLimit) }

// limits are how far a model checker goes.
type limits struct{ depth, states int }

// modelLimits are those of this run: a quick one, a full one (MODEL=full), or down to a depth (MODEL=n).
func modelLimits(t *testing.T) limits {
	t.Helper()
	switch v := os.Getenv("MODEL"); v {
	case "":
		if testing.Short() {
			return limits{depth: math.MaxInt, states: 2_000}
		}
		return limits{depth: math.MaxInt, states: 8_000}
	case "full":
		return limits{depth: math.MaxInt, states: 90_000}
	default:
		depth, err := strconv.Atoi(v)
		if err != nil || depth < 1 {
			t.Fatalf("the depth is %q: want a number of steps, such as 9, or full", v)
		}
		return limits{depth: depth, states: math.MaxInt}
	}
}

// TestModel explores what can happen to an account, breadth first, and checks every state that it reaches.
func TestModel(t *testing.T) {
	t.Parallel()
	limits := modelLimits(t)
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := &checker{root: s.start(), seed: maphash.MakeSeed(), seen: make(map[uint64]struct{})}
			began := time.Now()
			if trace := c.run(limits); trace != "" {
				t.Errorf("%s\n%s", s.name, trace)
			}
			t.Logf("%d states, %d steps deep, %d transitions, %s", len(c.nodes), c.depth, c.transitions,
				time.Since(began).Round(time.Millisecond))
		})
	}
}

type checker struct {
	root        *modelWorld
	seed        maphash.Seed
	encoder     encoder
	seen        map[uint64]struct{}
	nodes       []node // in the order in which they were found
	depth       int
	transitions int
}

// node is a state that was found: from which other, and by which of its actions.
type node struct {
	parent int32
	action int16
}

// run explores as far as the limits say. It returns the shortest sequence that breaks a rule, in words; "" where there is none.
func (c *checker) run(l limits) string {
	type found struct {
		w  *modelWorld
		at int32
	}
	c.nodes = append(c.nodes, node{parent: -1})
	c.seen[c.encoder.key(c.seed, c.root)] = struct{}{}
	level := []found{{c.root, 0}}
	var buffer []action
	for len(level) > 0 && c.depth < l.depth && len(c.nodes) < l.states {
		var next []found
		for _, f := range level {
			if len(c.nodes) >= l.states {
				break
			}
			buffer = f.w.list(buffer)
			for n, a := range slices.Clone(buffer) {
				w := f.w.next(a)
				c.transitions++
				if w.broken != "" {
					return c.trace(f.at, n, w.broken)
				}
				key := c.encoder.key(c.seed, w)
				if _, ok := c.seen[key]; ok {
					continue
				}
				c.seen[key] = struct{}{}
				if broken := w.lives(); broken != "" {
					return c.trace(f.at, n, broken)
				}
				c.nodes = append(c.nodes, node{parent: f.at, action: int16(n)})
				next = append(next, found{w, int32(len(c.nodes) - 1)})
			}
		}
		level = next
		c.depth++
	}
	return ""
}

func (c *checker) trace(at int32, last int, broken string) string {
	path := []int{last}
	for ; at > 0; at = c.nodes[at].parent {
		path = append(path, int(c.nodes[at].action))
	}
	slices.Reverse(path)
	var b strings.Builder
	fmt.Fprintf(&b, "broken: %s\nafter %d steps:\n", broken, len(path))
	w := c.root
	for n, choice := range path {
		a := w.list(nil)[choice]
		w = w.next(a)
		fmt.Fprintf(&b, "%3d. %s\n     %s\n", n+1, a.what, w.summary())
	}
	return b.String()
}

func (w *modelWorld) summary() string {
	s, now := &w.state, w.now()
	parts := []string{[...]string{"unknown", "absent", "stale", "known"}[s.Known]}
	if s.Current != nil {
		parts = append(parts, fmt.Sprintf("%s with %s left (suspect %t)", s.Current.ID, s.Current.Remaining(now), s.Suspect))
	}
	if f := s.Failure; f != nil {
		parts = append(parts, fmt.Sprintf("%s, held for %s", f.Kind, f.Left(now)))
	}
	if s.Work != nil {
		step := [...]string{"", "noting", "logging in", "storing", "committing"}[s.Work.Step]
		parts = append(parts, fmt.Sprintf("login %d (%s) is %s", s.Work.ID, s.Work.Reason, step))
	}
	if s.Loading != 0 {
		parts = append(parts, "loading")
	}
	if w.save != nil {
		parts = append(parts, fmt.Sprintf("saving %d (landed %t)", w.save.Version, w.save.landed))
	}
	parts = append(parts, fmt.Sprintf("versions %d/%d, refused %d", s.Saved, s.Version, s.Lost))
	if r := w.record; r != nil && r.Current != nil {
		parts = append(parts, "stored "+r.Current.ID)
	}
	if len(s.Outbox) > 0 {
		parts = append(parts, fmt.Sprintf("%d in the outbox", len(s.Outbox)))
	}
	if len(w.readers) > 0 {
		parts = append(parts, fmt.Sprintf("%d readers wait", len(w.readers)))
	}
	return strings.Join(parts, ", ")
}
