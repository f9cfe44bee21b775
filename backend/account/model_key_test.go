// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"
)

// encoder writes a world down in canonical form: times are relative to now, and names and numbers are ranks.
type encoder struct {
	buf      []byte
	now      Reading
	true     time.Duration
	floor    time.Duration // what is longer ago makes no difference
	clocks   ClockSteps
	names    []string
	versions []uint64
	works    []uint64
}

// key is the world's in canonical form.
func (e *encoder) key(seed maphash.Seed, w *modelWorld) uint64 {
	e.buf, e.names = e.buf[:0], e.names[:0]
	e.now, e.true, e.floor, e.clocks = w.now(), w.true, -2*time.Hour, w.clocks
	if w.scenario.setsAhead {
		e.floor -= modelAhead
	}
	e.ranks(w)
	e.world(w)
	e.state(&w.state)
	e.ghost(w)
	return maphash.Bytes(seed, e.buf)
}

// ranks collects the numbers of which only the order counts.
func (e *encoder) ranks(w *modelWorld) {
	s := &w.state
	e.versions = append(e.versions[:0], 0, s.Version, s.Urgent, s.Saving, s.Saved, s.Lost, s.Corrected)
	e.works = append(e.works[:0], 0, s.VerifyWork)
	if s.Work != nil {
		e.versions = append(e.versions, s.Work.Version)
		e.works = append(e.works, s.Work.ID)
	}
	if w.save != nil {
		e.versions = append(e.versions, w.save.Version)
	}
	for _, l := range w.logins {
		e.works = append(e.works, l.work.ID)
	}
	for _, o := range []*modelOp{w.op, w.verify} {
		if o != nil {
			e.works = append(e.works, o.work)
		}
	}
	g := &w.ghost
	e.versions = append(e.versions, g.rejectedVersion, g.uncorrectedVersion)
	for _, r := range g.revoked {
		e.versions = append(e.versions, r.version)
	}
	for _, h := range g.holds {
		e.versions = append(e.versions, h.version)
	}
	slices.Sort(e.versions)
	e.versions = slices.Compact(e.versions)
	slices.Sort(e.works)
	e.works = slices.Compact(e.works)
}

func (e *encoder) int(n int64)         { e.buf = binary.AppendVarint(e.buf, n) }
func (e *encoder) version(v uint64)    { e.buf = append(e.buf, byte(slices.Index(e.versions, v))) }
func (e *encoder) workID(v uint64)     { e.buf = append(e.buf, byte(slices.Index(e.works, v))) }
func (e *encoder) text(s string)       { e.buf = append(append(e.buf, s...), 0) }
func (e *encoder) byte(b byte)         { e.buf = append(e.buf, b) }
func (e *encoder) len(n int)           { e.buf = append(e.buf, byte(n)) }
func (e *encoder) dur(d time.Duration) { e.int(int64(max(d, e.floor) / time.Millisecond)) }

func (e *encoder) bool(values ...bool) {
	var b byte
	for n, v := range values {
		if v {
			b |= 1 << n
		}
	}
	e.byte(b)
}

// name writes a name as the rank of its first appearance.
func (e *encoder) name(s string) {
	if s == "" {
		e.byte(0)
		return
	}
	n := slices.Index(e.names, s)
	if n < 0 {
		n = len(e.names)
		e.names = append(e.names, s)
	}
	e.byte(byte(n + 1))
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.byte(0)
		return
	}
	e.byte(1)
	e.dur(t.Sub(e.now.Wall))
}

// since writes by how much the clock was set since then.
func (e *encoder) since(then ClockSteps) {
	by := e.clocks.since(then)
	e.dur(by.forward)
	e.dur(by.back)
	e.dur(by.lowered)
}

func (e *encoder) slack(s slack) {
	e.dur(s.forward)
	e.dur(s.lowered)
}

func (e *encoder) world(w *modelWorld) {
	e.bool(w.active, w.changed, w.op != nil, w.verify != nil, w.save != nil, w.tell != nil, w.config != nil, w.record != nil)
	e.int(int64(w.left.crashes)<<20 | int64(w.left.writes)<<16 | int64(w.left.revokes)<<12 | int64(w.left.forced)<<8 |
		int64(w.left.setBacks)<<4 | int64(w.left.reads))
	e.time(w.lastRead)
	e.dur(w.set)
	if w.set > 0 {
		e.dur(w.ahead - w.true)
	}
	e.dur(w.clocks.raised())
	e.dur(max(w.clocks.began-e.now.Elapsed, -doubtedAtStart))
	e.account(w.config)
	e.record(w.record)
	e.len(len(w.loads))
	for _, l := range w.loads {
		e.bool(l.id == w.state.Loading)
		e.len(l.stage)
		e.account(l.account)
		e.record(l.record)
	}
	if w.save != nil {
		e.bool(w.save.landed)
		e.version(w.save.Version)
		e.record(w.save.Record)
	}
	e.len(len(w.logins))
	for _, l := range w.logins {
		e.bool(l.cancelled, l.revoked)
		e.workID(l.work.ID)
		e.text(string(l.work.Reason))
		e.account(l.work.Account)
		e.dur(l.trueBegan - w.true)
		e.since(l.steps)
	}
	if w.tell != nil {
		e.bool(w.tell.read, w.tell.written)
		e.outbox(w.tell.entries)
	}
	e.len(len(w.kills))
	for _, k := range w.kills {
		e.name(k.token.ID)
	}
	for _, o := range []*modelOp{w.op, w.verify} {
		if o == nil {
			continue
		}
		e.len(int(o.step))
		e.account(o.account)
		e.token(o.token)
		e.workID(o.work)
		e.bool(o.waits, w.state.Loads > o.loads, w.config == o.old)
	}
	e.len(len(w.readers))
	for _, r := range w.readers {
		e.name(r.Rejected)
		e.dur(r.Arrived.Elapsed - e.now.Elapsed)
		e.bool(w.state.Loads > r.Loads, w.state.Logins > r.Logins, w.true > r.came)
	}
	for _, u := range w.upstream {
		e.name(u.id)
		e.dur(u.end - w.true)
	}
	e.len(len(w.ledger))
	for _, n := range w.ledger {
		e.name(n.id)
		e.bool(n.revoked)
	}
}

func (e *encoder) account(a *Account) {
	if a == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.name(a.Generation)
	e.bool(a.Paused, a.singleSession(), credentialsIn(a) == 1, len(a.Upstream.Headers) > 0, a.MaxTokenTTL > 0,
		a.Upstream.DefaultTokenTTL == modelLife)
}

func (e *encoder) token(t *Token) {
	if t == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.name(t.ID)
	e.name(t.Generation)
	e.time(t.IssuedAt)
	e.time(t.ExpiresAt)
	e.text(string(t.revocation))
	e.byte(t.Reason[len(t.Reason)-1])
	e.dur(t.toldLife)
	e.dur(t.delay)
	e.slack(t.slack)
	e.bool(t.Access != "", t.refresh != "", t.repeated, t.lifeAssumed)
}

func (e *encoder) stored(t *StoredToken) {
	e.name(t.ID)
	e.name(t.Generation)
	e.time(t.IssuedAt)
	e.time(t.ExpiresAt)
	e.text(string(t.Revocation))
	e.dur(time.Duration(t.ToldSeconds) * time.Second)
	e.dur(time.Duration(t.LoginSeconds) * time.Second)
	e.slack(t.slack())
	e.bool(t.Access != "", t.Refresh != "", t.Repeated, t.LifeAssumed)
}

func (e *encoder) outbox(entries []OutboxEntry) {
	e.len(len(entries))
	for _, o := range entries {
		e.name(o.Token.ID)
		e.text(string(o.Token.revocation))
	}
}

func (e *encoder) revokedEnd(t time.Time) {
	e.int(int64(max(t.Sub(e.now.Wall), e.floor-revokedKept) / time.Millisecond))
}

func (e *encoder) record(r *Record) {
	if r == nil {
		return
	}
	if r.Clock.Process.Equal(e.clocks.Process) { // else they tell nothing
		e.since(ClockSteps{Forward: r.Clock.Forward, Back: r.Clock.Back, Lowered: r.Clock.Lowered})
	}
	e.name(r.Generation)
	e.text(r.RefreshTarget)
	e.bool(r.Current != nil, r.Attempt != nil, r.Suspect)
	if r.Current != nil {
		e.stored(r.Current)
	}
	e.len(len(r.Superseded))
	for n := range r.Superseded {
		e.stored(&r.Superseded[n])
	}
	e.len(len(r.Deleted))
	for n := range r.Deleted {
		e.stored(&r.Deleted[n])
	}
	e.len(len(r.Revoked))
	for _, v := range r.Revoked {
		e.name(v.ID)
		e.revokedEnd(v.End)
		e.slack(v.slack())
	}
	if r.Attempt != nil {
		e.bool(r.Attempt.Exclusive, r.Attempt.Verification)
		e.text(r.Attempt.Login[:8])
	}
	e.len(len(r.Failures))
	for _, f := range r.Failures {
		e.text(string(f.Kind) + string(f.Cause) + f.Credentials + f.Login[:8])
		e.bool(f.Verification)
		e.time(f.At)
		e.time(f.NextAttempt)
		e.len(min(f.Step, 7))
	}
	e.bool(r.RevokedAt.IsZero())
	e.time(r.ForcedAt)
	e.time(r.RejectedAt)
	e.len(len(r.Outbox))
	for _, o := range r.Outbox {
		e.name(o.ID)
		e.text(string(o.Revocation))
	}
}

func (e *encoder) failure(f *Failure) {
	if f == nil {
		e.byte(0)
		return
	}
	e.text(string(f.Kind) + string(f.Cause))
	e.time(f.At)
	e.time(f.NextAttempt)
	e.time(f.stored)
	e.time(f.latest)
	e.len(min(f.Step, 7))
}

func (e *encoder) failures(all []failedLogin) {
	e.len(len(all))
	for _, f := range all {
		e.text(f.Credentials + f.Login[:8])
		e.bool(f.Verification)
		e.failure(f.Failure)
	}
}

func (e *encoder) state(s *State) {
	e.since(s.clock)
	e.len(int(s.Known))
	e.account(s.Account)
	e.name(s.Generation)
	e.text(s.RefreshTarget)
	e.token(s.Current)
	e.bool(s.Loading != 0, s.Suspect, s.Restored, s.RevokedAt.IsZero(), s.LoadErr != nil, s.LoginErr != nil)
	e.len(len(s.Superseded))
	for _, t := range s.Superseded {
		e.token(t)
	}
	e.len(len(s.Deleted))
	for _, t := range s.Deleted {
		e.token(t)
	}
	e.len(len(s.Revoked))
	for _, r := range s.Revoked {
		e.name(r.ID)
		e.revokedEnd(r.End)
		e.slack(r.slack)
	}
	e.failures(s.Failures)
	e.time(s.ForcedAt)
	e.time(s.RejectedAt)
	if w := s.Work; w != nil {
		e.byte(1)
		e.workID(w.ID)
		e.text(string(w.Reason))
		e.len(int(w.Step))
		e.account(w.Account)
		e.time(w.Began.Wall)
		e.dur(w.Began.Elapsed - e.now.Elapsed)
		e.version(w.Version)
		e.token(w.Token)
		e.bool(w.Abandoned)
		e.failures(w.failures)
	}
	e.outbox(s.Outbox)
	for _, v := range []uint64{s.Version, s.Urgent, s.Saving, s.Saved, s.Lost, s.Corrected} {
		e.version(v)
	}
	e.workID(s.VerifyWork)
	if s.GivenUp != nil {
		e.dur(s.GivenUpLeft(e.now))
	}
}

func (e *encoder) ghost(w *modelWorld) {
	g := &w.ghost
	e.len(len(g.revoked))
	for _, r := range g.revoked {
		e.name(r.id)
		e.version(r.version)
		e.bool(r.durable, r.mustTell, r.end < 0)
		e.dur(r.end - e.true)
	}
	e.len(len(g.tokens))
	for _, t := range g.tokens {
		e.name(t.id)
		e.dur(t.end - e.true)
		e.bool(t.served, t.excused, t.stale, t.end < 0)
		e.dur(t.set)
		e.dur(w.since - t.since)
		if t.brought > 0 {
			e.dur(t.brought - e.true)
		}
	}
	for _, holds := range [][2]ghostHold{g.holds, g.verHolds} {
		for _, h := range holds {
			e.text(string(h.kind))
			e.dur(h.until - e.true)
			e.dur(h.at - e.true)
			e.len(min(h.step, 7))
			e.name(h.generation)
			if h.login != "" {
				e.text(h.login[:8])
			}
			e.version(h.version)
			e.bool(h.durable, h.offClock, h.earlier)
		}
	}
	for _, at := range []time.Duration{g.forced, g.rejected, g.cutOff} {
		if at == 0 {
			e.byte(0)
			continue
		}
		e.byte(1)
		e.dur(at - e.true)
	}
	e.name(g.cutOffGeneration)
	e.version(g.rejectedVersion)
	e.version(g.uncorrectedVersion)
	e.bool(g.uncorrected)
}
