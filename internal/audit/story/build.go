// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report ends the collection. What was read, and when and by which version, is for the caller to fill in.
func (c *Collector) Report() *Report {
	for _, lost := range c.pending.values {
		if lost != nil {
			c.unanswered(lost)
		}
	}
	clear(c.pending.values)
	c.pairing.end()
	r := &Report{
		Mount: c.o.Mount, Since: pointer(c.o.Since), Until: pointer(c.o.Until),
		Input: Input{
			RequestsUnanswered: c.pairing.requestsAlone, ResponsesAlone: c.pairing.responsesAlone, Duplicates: c.pairing.duplicates,
			First: pointer(c.first), Last: pointer(c.last),
		},
		Summary: c.summary, Histogram: c.histogram.report(),
	}
	readings := c.joinedReadings()
	r.Readings = c.readingsReport(readings)
	r.Refusals = c.refusalsReport()
	r.Objects = c.objectsReport()
	r.Tokens = c.tokensReport(readings)
	r.Revocations = c.revocationsReport(readings)
	r.Rows = c.rowsReport()
	r.Alarms = c.alarms(readings)
	r.Leak = c.leakReport(r, readings)
	r.Summary.Readers, r.Summary.Roles, r.Summary.Tokens = c.readers(readings), len(c.given), givenTokens(r.Tokens)
	r.Notices = c.notices()
	return r
}

// joined is a reading by the token that it is now known to be of.
type joined struct {
	readingKey
	*reading
}

// joinedReadings are the readings once all names of tokens are known, newest first.
func (c *Collector) joinedReadings() []joined {
	byKey := make(map[readingKey]*reading, len(c.readings.all))
	for key, r := range c.readings.all {
		key.token = c.tokens.find(key.token)
		have := byKey[key]
		if have == nil {
			byKey[key] = r
			continue
		}
		both := *have
		both.count += r.count
		both.unwrapped += r.unwrapped
		if r.first.Before(both.first) {
			both.first = r.first
		}
		if r.last.After(both.last) {
			both.last, both.lease = r.last, r.lease
		}
		if r.lastBegan.After(both.lastBegan) {
			both.lastBegan = r.lastBegan
		}
		for _, remote := range r.remote {
			both.remote = addRemote(both.remote, remote)
		}
		byKey[key] = &both
	}
	all := make([]joined, 0, len(byKey))
	for key, r := range byKey {
		all = append(all, joined{key, r})
	}
	slices.SortFunc(all, func(a, b joined) int {
		return cmp.Or(b.last.Compare(a.last), b.first.Compare(a.first), cmp.Compare(a.who, b.who), cmp.Compare(a.role, b.role),
			cmp.Compare(a.token, b.token), cmp.Compare(a.kind, b.kind))
	})
	return all
}

// gave reports whether a token is known to have been handed out.
func (j joined) gave() bool { return !j.unanswered && !j.wrapped }

func (c *Collector) readingsReport(all []joined) []Reading {
	out := make([]Reading, 0, len(all))
	for _, j := range all {
		out = append(out, c.readingReport(j))
	}
	return out
}

func (c *Collector) readingReport(j joined) Reading {
	out := Reading{
		Who: &c.people.all[j.who], Kind: j.kind, Role: j.role, Count: j.count, First: j.first, Last: j.last, Lease: j.lease,
		Remote: notNil(j.remote), Wrapped: j.wrapped, Unwrapped: j.unwrapped, Unanswered: j.unanswered,
	}
	if j.asker != everybodyElse {
		out.AskedBy = &c.people.all[j.asker]
	}
	if j.token != noToken {
		info := c.tokens.info(j.token)
		out.Token, out.Config, out.RevokedAt = info.name, info.config, pointer(info.revokedAt)
	}
	return out
}

func (c *Collector) refusalsReport() []Refusal {
	out := make([]Refusal, 0, len(c.refusals.all))
	for key, r := range c.refusals.all {
		out = append(out, Refusal{
			Who: &c.people.all[key.who], Outcome: key.outcome, Path: key.path, Error: key.failure, Count: r.count, First: r.first,
			Last: r.last, Remote: notNil(r.remote),
		})
	}
	slices.SortFunc(out, func(a, b Refusal) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Who.DisplayName, b.Who.DisplayName),
			cmp.Compare(a.Error, b.Error))
	})
	return out
}

func (c *Collector) objectsReport() []Object {
	out := make([]Object, 0, len(c.objects.all))
	for _, path := range slices.Sorted(maps.Keys(c.objects.all)) {
		o := c.objects.all[path]
		out = append(out, Object{
			Path: path, Changed: o.changed, By: &c.people.all[o.by], Deleted: o.deleted, Writes: o.writes, Fields: o.fields,
		})
	}
	return out
}

// tokensReport lists each token once, newest first.
func (c *Collector) tokensReport(all []joined) []Token {
	used := make(map[tokenRef]*Token)
	readers := make(map[tokenRef]map[whoRef]bool)
	for _, j := range all {
		if j.token == noToken || !j.gave() {
			continue
		}
		t := used[j.token]
		if t == nil {
			t = new(Token)
			used[j.token], readers[j.token] = t, make(map[whoRef]bool)
		}
		t.Count += j.count
		readers[j.token][c.people.person(j.who)] = true
		if t.First == nil || j.first.Before(*t.First) {
			t.First = &j.first
		}
		if t.Last == nil || j.last.After(*t.Last) {
			t.Last = &j.last
		}
	}
	out := make([]Token, 0, len(c.tokens.all))
	for n, info := range c.tokens.all {
		ref := tokenRef(n)
		given := used[ref]
		if info.joined != noToken || given == nil && info.revokedAt.IsZero() {
			continue
		}
		t := Token{
			TokenName: info.name, Config: info.config, IssuedAt: info.issuedAt, ExpiresAt: info.expiresAt,
			RevokedAt: pointer(info.revokedAt),
		}
		if given != nil {
			t.First, t.Last, t.Count, t.Readers = given.First, given.Last, given.Count, len(readers[ref])
		}
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b Token) int { return newest(b).Compare(newest(a)) })
	return out
}

func newest(t Token) time.Time {
	if t.Last != nil {
		return *t.Last
	}
	if t.RevokedAt != nil {
		return *t.RevokedAt
	}
	return time.Time{}
}

func givenTokens(all []Token) int {
	n := 0
	for _, t := range all {
		if t.Count > 0 {
			n++
		}
	}
	return n
}

// readers counts those who were given a token, or a wrapping with one.
func (c *Collector) readers(all []joined) int {
	seen := make(map[whoRef]bool)
	for _, j := range all {
		if !j.unanswered && j.kind == Read {
			seen[c.people.person(j.who)] = true
		}
	}
	return len(seen)
}

func (c *Collector) revocationsReport(all []joined) []Revocation {
	receivers := make(map[tokenRef][]string)
	for _, j := range all {
		name := c.people.all[j.who].DisplayName
		if j.token != noToken && j.gave() && !slices.Contains(receivers[j.token], name) {
			receivers[j.token] = append(receivers[j.token], name)
		}
	}
	out := make([]Revocation, 0, len(c.revoked))
	for _, r := range c.revoked {
		if !r.listed {
			continue
		}
		one := Revocation{
			Time: r.at, By: &c.people.all[r.by], Config: r.config, TokenID: r.id, Receivers: []string{},
			Upstream: shownOnly(r.became.Upstream), ValidUntil: shownOnly(r.became.ValidUntil),
		}
		if ref, ok := c.tokens.byName[idName(r.id)]; ok {
			names := receivers[c.tokens.find(ref)]
			one.Linked = len(names) > 0
			one.Receivers = append(one.Receivers, names...)
			slices.Sort(one.Receivers)
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b Revocation) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.TokenID, b.TokenID))
	})
	return out
}

func (c *Collector) rowsReport() []Row {
	kept := slices.Concat(c.reads.kept, c.others.kept)
	slices.SortStableFunc(kept, func(a, b row) int { return a.at.Compare(b.at) })
	out := make([]Row, 0, len(kept))
	for _, one := range kept {
		r := Row{
			Time: one.at, Kind: one.kind, Outcome: one.outcome, Who: &c.people.all[one.who], Remote: one.remote, Path: one.path,
			Name: one.name, Lease: one.lease, Wrapped: one.wrapped, Error: one.failure, Fields: one.fields, RequestID: one.id,
		}
		if one.token != noToken {
			r.Token = c.tokens.info(one.token).name
		}
		out = append(out, r)
	}
	return out
}

// alarms are secrets in the log, and tokens that were handed out by requests that began after their revocation had been answered.
func (c *Collector) alarms(all []joined) []Alarm {
	out := []Alarm{}
	for name, s := range c.inClear {
		out = append(out, Alarm{Time: s.first, Message: fmt.Sprintf("the log shows %s in clear, %d times, first in request %s on %s: "+
			"take it out of the mount's audit_non_hmac keys, and replace the secret", name, s.count, s.id, s.path)})
	}
	for _, j := range all {
		if j.token == noToken || j.kind != Read {
			continue
		}
		info := c.tokens.info(j.token)
		if info.revokedAt.IsZero() || !j.lastBegan.After(info.revokedAt) || len(out) >= mostAlarms {
			continue
		}
		out = append(out, Alarm{Time: j.last, Message: fmt.Sprintf(
			"a revoked token was handed out: token %s, revoked at %s, was given to %s through role %s, last at %s",
			NameOf(info.name), info.revokedAt.Format(time.RFC3339), c.people.all[j.who].DisplayName, j.role,
			j.last.Format(time.RFC3339))})
	}
	slices.SortFunc(out, func(a, b Alarm) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Message, b.Message)) })
	return out
}

// NameOf is the best name of a token that there is.
func NameOf(t TokenName) string {
	switch {
	case t.ID != "":
		return t.ID
	case t.HMAC != "":
		return t.HMAC
	default:
		return "-"
	}
}

// notices say what was cut, and what the numbers do not tell.
func (c *Collector) notices() []string {
	out := []string{}
	say := func(n int64, format string, args ...any) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	cut := c.reads.cut + c.others.cut
	say(cut, "%d single requests are not listed: only the newest %d reads and %d others are. All are counted. "+
		"List more with -max-rows, or fewer with -since and -until.", cut, len(c.reads.kept), len(c.others.kept))
	say(c.people.missed, "%d requests are counted under \"(everybody else)\": more than %d callers.",
		c.people.missed, c.o.Limits.Who)
	say(c.tokens.missed, "%d names of tokens found no room: more than %d tokens. Look at a shorter time span.",
		c.tokens.missed, c.o.Limits.Tokens)
	say(c.readings.missed, "%d reads are counted without reader and role: more than %d combinations. Look at a shorter time span.",
		c.readings.missed, c.o.Limits.Readings)
	say(c.refusals.missed, "%d refusals are counted under \"(more paths)\": more than %d combinations.",
		c.refusals.missed, c.o.Limits.Refusals)
	say(c.objects.missed, "%d changes are counted under \"(more configs and roles)\".", c.objects.missed)
	if n := int64(len(c.revoked)); n >= mostRevoked {
		say(n, "Only the first %d revoked tokens are listed.", n)
	}
	if n := int64(len(c.spaces)); n > 1 {
		say(n, "Mounts of this path in %d namespaces are taken together: choose one with -namespace.", n)
	}
	if slices.ContainsFunc(c.revoked, func(r revokedToken) bool { return r.listed }) {
		say(c.outside, "%d tokens were handed out outside of the time that was asked for: revocations do not tell to whom.", c.outside)
	}
	if !c.o.Since.IsZero() && c.first.After(c.o.Since) {
		out = append(out, fmt.Sprintf("The log begins at %s, after -since: the files from before may be missing.",
			c.first.Format(time.RFC3339)))
	}
	return out
}

func shownOnly(text string) string {
	if strings.HasPrefix(text, "hmac-sha256:") {
		return ""
	}
	return clip(text)
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
