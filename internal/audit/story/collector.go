// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// Options say what to collect.
type Options struct {
	Mount        string
	Since, Until time.Time // zero for no limit
	Limits       Limits
	// Leaked is the token to trace, or nil.
	Leaked *Leaked
}

// Leaked are the names of a token that got out.
type Leaked struct {
	TokenID string
	// TokenHMACs and IDHMACs are what audit devices make of the token and of its token_id.
	TokenHMACs, IDHMACs []string
	// Checked and Unchecked say how it is looked for, and what cannot be looked at.
	Checked, Unchecked []string
}

// Collector takes observations in the order of the log. It is for one goroutine.
type Collector struct {
	o       Options
	texts   *interner
	people  *people
	tokens  *tokens
	pairing *pairing
	// pending are requests whose response has not come yet.
	pending *recent[uint64, *Observation]
	// wrapped are wrapped reads by the HMAC of the wrapping token.
	wrapped *recent[string, wrappedRead]

	readings  *book[readingKey, reading]
	refusals  *book[refusalKey, reading]
	objects   *book[string, object]
	histogram *histogram
	reads     *rows
	others    *rows
	revoked   []revokedToken
	leaked    tokenRef                // the token that is traced, if any
	outside   int64                   // tokens handed out outside of the time span
	gaveLeak  int64                   // of these, the one that is traced
	inClear   map[string]*clearSecret // by the name of the field
	spaces    map[string]bool

	summary     Summary
	given       map[string]bool // roles
	first, last time.Time       // of all entries of the mount
}

// wrappedRead is a read whose answer is in a wrapping.
type wrappedRead struct {
	reading *reading // nil for a read outside of the time span
	who     whoRef
	role    string
}

// revokedToken is one token that revoke/ named.
type revokedToken struct {
	at     time.Time
	by     whoRef
	config string
	id     string
	became entry.Revocation
	listed bool // in the time span
}

// clearSecret is a field with secrets that the log shows.
type clearSecret struct {
	first    time.Time
	count    int64
	path, id string // of the first request
}

// noteClear counts a secret that the log shows.
func (c *Collector) noteClear(o *Observation) {
	s := c.inClear[o.inClear]
	if s == nil {
		s = &clearSecret{first: o.at, path: o.path, id: clip(o.id)}
		c.inClear[o.inClear] = s
	}
	s.count++
}

// row is a request as it is remembered.
type row struct {
	at      time.Time
	kind    Kind
	outcome Outcome
	who     whoRef
	token   tokenRef
	wrapped bool
	remote  string
	path    string
	name    string
	lease   string
	failure string
	fields  []entry.Field
	id      string
}

// mostAlarms bounds the alarms that are listed.
const mostAlarms = 200

// mostRevoked bounds the revocations that are remembered.
const mostRevoked = 20_000

// NewCollector returns a collector that has seen nothing.
func NewCollector(o Options) *Collector {
	l := o.Limits
	texts := newInterner(l.Texts)
	c := &Collector{
		o: o, texts: texts,
		people: newPeople(l.Who, l.Logins, texts), tokens: newTokens(l.Tokens), pairing: newPairing(l.Window),
		pending: newRecent[uint64, *Observation](l.Pending), wrapped: newRecent[string, wrappedRead](l.Wrapped),
		readings: newBook[readingKey, reading](l.Readings), refusals: newBook[refusalKey, reading](l.Refusals),
		objects: newBook[string, object](l.Objects), histogram: newHistogram(),
		reads: newRows(l.Rows), others: newRows(l.Rows),
		given: make(map[string]bool), spaces: make(map[string]bool), inClear: make(map[string]*clearSecret),
		summary: Summary{ByKind: make(map[string]int64)},
	}
	if leaked := o.Leaked; leaked != nil {
		c.leaked = c.tokens.ref(leaked.TokenID, "")
		for _, hmac := range leaked.TokenHMACs {
			c.tokens.ref(leaked.TokenID, hmac)
		}
		for _, hmac := range leaked.IDHMACs {
			c.SameToken(leaked.TokenID, hmac)
		}
	}
	return c
}

// Add takes one observation.
func (c *Collector) Add(o *Observation) {
	switch {
	case o.login != nil:
		c.people.learn(o.login)
	case o.rewrapping != "":
		if asked, known := c.wrapped.take(o.wrapping); known {
			c.wrapped.put(o.rewrapping, asked)
		}
	case o.kind == Unwrap:
		c.unwrapped(o)
	case !o.answer:
		c.asked(o)
	default:
		c.answered(o)
	}
}

// asked takes a request. What it became is told by its response, which repeats all that it says.
func (c *Collector) asked(o *Observation) {
	c.see(o)
	key := c.pairing.key(o.id)
	if c.pairing.note(key, requestHalf) || c.pairing.seen[key]&responseHalf != 0 {
		return
	}
	if o.outcome != OK {
		// Vault never asked the engine: should the response be missing, this is as good.
		o.token = entry.Token{}
	}
	if lost, full := c.pending.put(key, o); full && lost != nil {
		c.unanswered(lost)
	}
}

// answered takes a response.
func (c *Collector) answered(o *Observation) {
	c.see(o)
	key := c.pairing.key(o.id)
	began := o.at
	if request, ok := c.pending.take(key); ok && request != nil {
		began = request.at
	}
	if c.pairing.note(key, responseHalf) {
		return
	}
	c.ended(o, began)
}

// see keeps when the log begins and ends.
func (c *Collector) see(o *Observation) {
	if c.first.IsZero() || o.at.Before(c.first) {
		c.first = o.at
	}
	if o.at.After(c.last) {
		c.last = o.at
	}
	if len(c.spaces) < 100 {
		c.spaces[o.namespace] = true
	}
}

// unanswered takes a request whose response is missing.
func (c *Collector) unanswered(o *Observation) {
	if o.outcome == OK {
		o.outcome = Unanswered
	}
	c.ended(o, o.at)
}

// inSpan reports whether a time is asked for.
func (c *Collector) inSpan(at time.Time) bool {
	return (c.o.Since.IsZero() || !at.Before(c.o.Since)) && (c.o.Until.IsZero() || at.Before(c.o.Until))
}

// ended takes a request as a whole.
func (c *Collector) ended(o *Observation, began time.Time) {
	who := c.people.ref(o.who, o.accessor)
	token := noToken
	if o.kind == Read && o.outcome == OK {
		token = c.tokens.ref(o.token.TokenID, o.token.AccessToken)
		c.tokens.learn(token, o.token, c.texts.text)
	}
	listed := c.inSpan(o.at)
	if o.inClear != "" {
		c.noteClear(o)
	}
	if o.outcome == OK {
		c.change(o, who, listed)
	}
	if !listed {
		c.wrap(o, nil, who) // it may be unwrapped in the time span
		c.passOver(o, token)
		return
	}
	c.count(o)
	switch {
	case o.kind == Read && (o.outcome == OK || o.outcome == Unanswered):
		c.wrap(o, c.read(o, who, everybodyElse, token, began), who)
	case o.outcome == Denied || o.outcome == Refused:
		c.refuse(o, who)
	}
	c.list(o, who, token)
}

// passOver counts a token that was handed out outside of the time span.
func (c *Collector) passOver(o *Observation, token tokenRef) {
	if o.outcome != OK || o.kind != Read && o.kind != Unwrap {
		return
	}
	c.outside++
	if c.isLeaked(c.tokens.find(token)) {
		c.gaveLeak++
	}
}

// wrap remembers a read whose answer is in a wrapping.
func (c *Collector) wrap(o *Observation, r *reading, who whoRef) {
	if o.kind == Read && o.outcome == OK && o.wrapping != "" {
		c.wrapped.put(o.wrapping, wrappedRead{r, who, o.name})
	}
}

// unwrapped takes a token that came out of its wrapping.
func (c *Collector) unwrapped(o *Observation) {
	asked, known := c.wrapped.take(o.wrapping)
	if o.name == "" && !known {
		return // of another mount
	}
	key := c.pairing.key(o.id)
	if c.pairing.note(key, requestHalf|responseHalf) {
		return
	}
	token := c.tokens.ref(o.token.TokenID, o.token.AccessToken)
	asker := everybodyElse
	if known {
		if asked.reading != nil {
			asked.reading.unwrapped++
		}
		asker = asked.who
		if o.name == "" {
			o.name = asked.role
		}
	}
	if !c.inSpan(o.at) {
		c.passOver(o, token)
		return
	}
	who := c.people.ref(o.who, o.accessor)
	c.count(o)
	c.read(o, who, asker, token, o.at)
	c.list(o, who, token)
}

// read counts a token that was handed out, or that may have been.
func (c *Collector) read(o *Observation, who, asker whoRef, token tokenRef, began time.Time) *reading {
	key := readingKey{
		who: who, asker: asker, kind: o.kind, role: c.texts.text(o.name), token: c.tokens.find(token),
		wrapped: o.kind == Read && o.wrapping != "", unanswered: o.outcome == Unanswered,
	}
	r := c.readings.at(key, c.isLeaked(key.token), func(k readingKey) readingKey {
		k.who, k.asker, k.token, k.role = everybodyElse, everybodyElse, noToken, ""
		return k
	})
	r.tally(o.at, c.texts.text(o.remote))
	if began.After(r.lastBegan) {
		r.lastBegan = began
	}
	if o.lease != "" {
		r.lease = o.lease
	}
	return r
}

// isLeaked reports whether this is the token that is traced: all who were given it are listed.
func (c *Collector) isLeaked(ref tokenRef) bool {
	return c.o.Leaked != nil && ref != noToken && ref == c.tokens.find(c.leaked)
}

func (c *Collector) refuse(o *Observation, who whoRef) {
	key := refusalKey{who, o.outcome, c.texts.text(o.path), c.texts.text(o.failure)}
	r := c.refusals.at(key, false, func(k refusalKey) refusalKey {
		k.path, k.failure = "(more paths)", "(more reasons)"
		return k
	})
	r.tally(o.at, c.texts.text(o.remote))
}

// change takes what a request changed. What came before the time span counts as well: it tells where a config points, and which
// tokens were revoked.
func (c *Collector) change(o *Observation, who whoRef, listed bool) {
	switch o.kind {
	case Write, Delete:
		c.objects.at(c.texts.text(o.path), false, func(string) string { return "(more configs and roles)" }).change(o, who)
	case Rotate:
		token := c.tokens.ref(o.token.TokenID, "")
		c.tokens.learn(token, o.token, c.texts.text)
	case Revoke:
		for id, became := range o.token.Tokens {
			c.revoke(o, who, clip(id), became, listed)
		}
	default:
	}
}

func (c *Collector) revoke(o *Observation, who whoRef, id string, became entry.Revocation, listed bool) {
	token := c.tokens.ref(id, "")
	if token != noToken {
		info := c.tokens.info(token)
		if info.revokedAt.IsZero() || o.at.Before(info.revokedAt) {
			info.revokedAt = o.at
		}
	}
	if len(c.revoked) < mostRevoked {
		c.revoked = append(c.revoked, revokedToken{o.at, who, c.texts.text(o.name), id, became, listed})
	}
}

// SameToken tells that an audit device hashes the token_id to the HMAC.
func (c *Collector) SameToken(tokenID, hmac string) {
	known, ok := c.tokens.byName[idName(hmac)]
	mine := c.tokens.ref(tokenID, "")
	switch {
	case mine == noToken:
	case ok:
		c.tokens.join(mine, c.tokens.find(known))
	default:
		c.tokens.link(idName(hmac), mine)
	}
}

// RevokedIDs are the token_ids of revoked tokens of which no read is known.
func (c *Collector) RevokedIDs() []string {
	given := make(map[tokenRef]bool)
	for key := range c.readings.all {
		given[c.tokens.find(key.token)] = true
	}
	var ids []string
	seen := make(map[string]bool)
	for _, r := range c.revoked {
		if ref, ok := c.tokens.byName[idName(r.id)]; ok && !given[c.tokens.find(ref)] && !seen[r.id] {
			ids, seen[r.id] = append(ids, r.id), true
		}
	}
	return ids
}

// count adds to the summary.
func (c *Collector) count(o *Observation) {
	s := &c.summary
	if o.kind != Unwrap {
		s.Requests++
	}
	s.ByKind[string(o.kind)]++
	c.histogram.add(o.at, groupOf(o.kind, o.outcome))
	if at := o.at; s.First == nil || at.Before(*s.First) {
		s.First = &at
	}
	if at := o.at; s.Last == nil || at.After(*s.Last) {
		s.Last = &at
	}
	switch o.outcome {
	case Denied:
		s.Denied++
	case Refused:
		s.Refused++
	case Unanswered:
		s.Unanswered++
	case OK:
		c.countOK(o)
	}
}

func (c *Collector) countOK(o *Observation) {
	s := &c.summary
	switch o.kind {
	case Read:
		s.Given++
		if o.wrapping != "" {
			s.Wrapped++
		}
		if len(c.given) < mostRevoked {
			c.given[c.texts.text(o.name)] = true
		}
	case Write, Delete, Admin:
		s.Changes++
	case Rotate:
		s.Rotations++
	case Revoke:
		s.Revoked++
	default:
	}
}

// list keeps the request as a row.
func (c *Collector) list(o *Observation, who whoRef, token tokenRef) {
	one := row{
		at: o.at, kind: o.kind, outcome: o.outcome, who: who, token: token, wrapped: o.kind == Read && o.wrapping != "",
		remote: c.texts.text(o.remote), path: c.texts.text(o.path), name: c.texts.text(o.name), lease: o.lease,
		failure: c.texts.text(o.failure), fields: o.fields, id: clip(o.id),
	}
	if o.kind == Rotate && o.outcome == OK {
		one.token = c.tokens.ref(o.token.TokenID, "")
	}
	if o.outcome == OK && (o.kind == Read || o.kind == Unwrap || o.kind == View) {
		c.reads.add(one, c.o.Limits.Rows)
		return
	}
	c.others.add(one, c.o.Limits.Rows)
}
