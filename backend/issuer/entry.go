// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// maxSuperseded bounds the tokens that are remembered after they were replaced, so that forced rotations cannot grow an
// account's storage entry without end. The oldest are forgotten first.
const maxSuperseded = 512

// served is what a reader is given without a lock: a token and the settings that it came with. It is never changed, but for
// the memo.
type served struct {
	account *Account
	token   *Token
	// rotateLeft is the life at which the token is due for rotation.
	rotateLeft time.Duration
	// freshLeft is the life down to which it is handed out all the same, so that readers need not notice a rotation: see grace.
	freshLeft time.Duration
	memo      atomic.Value // see Answer.Memo
}

// grace is how long a token that is due for rotation goes on to be handed out as if nothing were happening. Most logins end
// within it, and then no reader has waited. It is less than what clients that follow Answer.TTL add to it (Vault Agent a second,
// the Secrets Operator half of one), so that these find the new token; and it is a fiftieth of the token's life at most, so that
// every lease on a token of a quarter of an hour and more still has a third of it.
func grace(a *Account, t *Token) time.Duration {
	const longest, share = 400 * time.Millisecond, 50
	if a.exclusive() {
		return 0 // its rotation begins when the token has ended
	}
	return min(longest, t.Life()/share)
}

// due reports whether the token is to be replaced.
func (s *served) due(now Reading) bool { return s.token.Remaining(now) <= s.rotateLeft }

// fresh reports whether the token can be handed out with no further thought.
func (s *served) fresh(now Reading) bool {
	if s == nil || s.token.Remaining(now) <= s.freshLeft {
		return false
	}
	_, wrong := s.token.setRight(now)
	return !wrong
}

// entry is all that is known of one account.
type entry struct {
	name string

	*tally

	counters *counters
	// counter is set once the account is in use: see counted.
	counter atomic.Pointer[counter]

	served atomic.Pointer[served]

	// storing is held over writes of the account's record, so that they reach storage in the order of what they say.
	storing sync.Mutex

	mu sync.Mutex
	// dead entries are no longer in Issuer.entries: whoever holds one looks the account up again.
	dead bool
	// loaded says that settings and what follows are as storage has them.
	loaded     bool
	settings   *Account
	current    *Token
	superseded []*Token
	failure    *Failure
	revokedAt  time.Time
	// suspect: a login of an exclusive account was cut off, so the current token may be dead.
	suspect bool
	// restored: the current token was found alive in storage, which counts as a read.
	restored bool
	// quietUntil is when the next rotation may be tried, by Reading.Elapsed, of an upstream that gives the same token again.
	quietUntil time.Duration
	// obstacle is why the last login could not even be begun, such as a storage that takes no write; until obstacleEnd, by
	// Reading.Elapsed, it is not tried again. obstacles counts them.
	obstacle    error
	obstacles   int
	obstacleEnd time.Duration
	// unsaved says that storage would not take the last record, so that it does not know what memory does.
	unsaved bool
	flight  *flight
	client  upstream.Client
	// booked says that the book was told of the tokens that were found in storage.
	booked bool

	lastForced   time.Time
	forcedFrom   *Token // what the last forced login was to replace
	lastRejected time.Time
	skew         time.Duration
	skewKnown    bool
}

// tally is what is counted of an account since this process started. It outlives the entry, which goes when it is idle.
type tally struct {
	lastRead atomic.Int64 // wall clock, nanoseconds
	reads    atomic.Int64

	// What follows is guarded by entry.mu.
	lastLogin time.Time // the last attempt, whatever became of it
	logins    int64
	failures  int64
}

// held reports whether no login is to be made now, forced ones aside. Callers hold mu.
func (e *entry) held(now Reading) bool { return e.heldFor(now) > 0 }

// heldFor is for how long that is: in a pause after a failure, behind an obstacle, or since the upstream has just given the same
// token again. Callers hold mu.
func (e *entry) heldFor(now Reading) time.Duration {
	hold := max(e.failure.left(now), e.obstacleEnd-now.Elapsed, 0)
	if e.live(now) {
		hold = max(hold, e.quietUntil-now.Elapsed)
	}
	return hold
}

// meet remembers for a moment what kept a flight from logging in, so that it is not run into by every reader. Callers hold mu.
func (e *entry) meet(err error, now Reading) {
	_, failed := errors.AsType[*LoginError](err)
	if err == nil || failed || errors.Is(err, errOvertaken) || errors.Is(err, ErrNoAccount) || errors.Is(err, ErrStopped) {
		e.obstacle, e.obstacles, e.obstacleEnd = nil, 0, 0
		return
	}
	e.obstacles++
	e.obstacle, e.obstacleEnd = err, now.Elapsed+outagePause(e.obstacles, longestPause*pauseShare)
}

func (e *entry) touch(now Reading) {
	e.lastRead.Store(now.Wall.UnixNano())
	e.reads.Add(1)
	e.counted().read(ResultOK)
}

// live reports whether the current token may be handed out. Callers hold mu.
func (e *entry) live(now Reading) bool {
	return !e.suspect && e.current.alive(now)
}

// readSince reports whether somebody has read the account since the given time.
func (e *entry) readSince(t time.Time) bool {
	return e.lastRead.Load() >= t.UnixNano() && e.lastRead.Load() > 0
}

// publish makes what readers are served from what is known. Callers hold mu.
func (e *entry) publish() {
	if e.settings == nil || e.settings.Paused || e.current == nil || e.suspect {
		e.served.Store(nil)
		return
	}
	e.current = e.current.clamp(e.settings.Upstream.MaxTokenTTL)
	e.served.Store(newServed(e.settings, e.current))
}

func newServed(a *Account, t *Token) *served {
	rotateLeft := t.ExpiresAt.Sub(a.rotatesAt(t))
	return &served{account: a, token: t, rotateLeft: rotateLeft, freshLeft: max(rotateLeft-grace(a, t), minLife-1)}
}

// supersede cuts off the flight under way, if any: what it brings belongs to a past that nobody asks for any more. Callers
// hold mu.
func (e *entry) supersede() {
	if e.flight == nil {
		return
	}
	e.flight.superseded = true
	e.flight.cancel()
	e.flight = nil
}

// cutOff is supersede for all but a verification, which is about other settings. Callers hold mu.
func (e *entry) cutOff() {
	if e.flight != nil && e.flight.reason != ReasonVerification {
		e.supersede()
	}
}

// retire puts the current token among the superseded ones. Callers hold mu.
func (e *entry) retire(now Reading) {
	if e.current != nil {
		e.superseded = append(e.superseded, e.current)
	}
	e.current, e.suspect, e.restored = nil, false, false
	e.superseded = slices.DeleteFunc(e.superseded, func(t *Token) bool { return t.Remaining(now) <= 0 })
	if extra := len(e.superseded) - maxSuperseded; extra > 0 {
		e.superseded = slices.Delete(e.superseded, 0, extra)
	}
}

// dropRefresh forgets the refresh tokens, which may be sent only to the endpoint that gave them. Callers hold mu.
func (e *entry) dropRefresh() {
	bare := func(t *Token) *Token {
		if t == nil || t.refresh == "" {
			return t
		}
		without := *t
		without.refresh, without.refreshExpiresAt = "", time.Time{}
		return &without
	}
	e.current = bare(e.current)
	for n, t := range e.superseded {
		e.superseded[n] = bare(t)
	}
}

// closeClient drops the client of an endpoint that is not used any more. Callers hold mu.
func (e *entry) closeClient() { e.client = nil }

// out are the unexpired tokens, the current one last. Callers hold mu.
func (e *entry) out(now Reading) []*Token {
	var out []*Token
	for _, t := range e.superseded {
		if t.Remaining(now) > 0 {
			out = append(out, t)
		}
	}
	if e.current != nil && e.current.Remaining(now) > 0 {
		out = append(out, e.current)
	}
	return out
}

// record is what storage must know. Callers hold mu.
func (e *entry) record() *Record {
	r := &Record{Schema: SchemaVersion, RevokedAt: e.revokedAt}
	if e.flight != nil {
		r.Attempt = e.flight.attempt
	}
	if e.settings != nil {
		r.Generation, r.RefreshTarget = e.settings.Generation, refreshTarget(&e.settings.Upstream)
	}
	if e.current != nil {
		stored := storeToken(e.current)
		r.Current = &stored
	}
	for _, t := range e.superseded {
		stored := storeToken(t)
		stored.Access = ""
		r.Superseded = append(r.Superseded, stored)
	}
	r.Failure, r.Suspect = storeFailure(e.failure), e.suspect
	return r
}

// adopt takes over settings and record as storage had them. Callers hold mu.
//
// process is this one's name: a login that was cut off in it was overtaken, and is no failure.
func (e *entry) adopt(settings *Account, r *Record, now Reading, process string) {
	e.loaded, e.settings = true, settings
	e.current, e.superseded, e.failure, e.suspect, e.restored = nil, nil, nil, false, false
	defer e.publish()
	if r == nil {
		return
	}
	e.revokedAt = r.RevokedAt
	for _, stored := range r.Superseded {
		t := stored.token().anchored(now)
		if t.revocation != "" && t.revokedAt.IsZero() { // not kept at first
			t.revokedAt = cmp.Or(r.RevokedAt, now.Wall)
		}
		e.superseded = append(e.superseded, t)
	}
	if r.Current != nil {
		e.current = r.Current.token().anchored(now)
	}
	if r.RefreshTarget != refreshTarget(&settings.Upstream) {
		e.dropRefresh()
	}
	if r.Generation != settings.Generation {
		// The settings changed and this record did not get to hear of it.
		e.retire(now)
		return
	}
	e.failure = r.Failure.failure(settings, now)
	e.suspect = e.current != nil && (r.Suspect || e.current.fromTheFuture(now))
	if r.Attempt != nil {
		if r.Attempt.Process != process {
			e.failure = newFailure(errUnfinished, e.failure, now, settings, settings.life(e.current))
		}
		e.suspect = e.suspect || e.current != nil && r.Attempt.Exclusive
	}
	e.restored = e.live(now)
	if e.restored || e.failure.refused() {
		e.counted()
	}
}
