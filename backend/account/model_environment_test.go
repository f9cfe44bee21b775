// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// modelLife is the life of every token that the model's upstream gives.
const modelLife = 20 * time.Minute

// modelLimit is the least of the model's max_token_ttl, and modelAssumed of its default_token_ttl.
const (
	modelLimit   = 8 * time.Minute
	modelAssumed = 10 * time.Minute
)

// modelSetBack is by how much the model's wall clock is set back, and modelSleep how long its machine is suspended.
const (
	modelSetBack = 10 * time.Minute
	modelSleep   = 15 * time.Minute
)

// modelAhead is by how much the model's wall clock is set forward by mistake: all that is remembered looks to be over. modelRight is
// how long it takes until it is set right.
const (
	modelAhead = 40 * 24 * time.Hour
	modelRight = 2 * time.Minute
)

var (
	errModelStorage = errors.New("storage takes no writes")
	errModelLoad    = errors.New("storage cannot be read")
)

// modelWorld is one account with its environment: the state machine, storage, the upstream, the effects in flight, the callers,
// and what the checker itself remembers of what has happened. It is a value: what its slices and pointers refer to never changes.
type modelWorld struct {
	scenario *scenario

	// True is the time that has really passed. The wall clock may have been set back, and the elapsed one does not count sleep.
	true, set, since time.Duration
	// ahead is when the wall clock was set forward by mistake, in true time.
	ahead time.Duration
	// clocks are what the process has seen of its clocks, in a scenario of these.
	clocks   ClockSteps
	active   bool
	state    State
	lastRead time.Time

	// What storage has.
	config *Account
	record *Record

	// Effects in flight.
	loads  []modelLoad
	save   *modelSave
	logins []modelLogin
	tell   *modelTell
	kills  []modelKill

	// Callers: one that writes the config at a time, one whose verification that write may cancel, and readers that wait.
	op      *modelOp
	verify  *modelOp
	readers []modelReader
	// changed is set if another cluster has written the config, and this one was not notified yet.
	changed bool

	// The upstream has one token for each set of credentials, and the ledger knows some.
	upstream [2]modelToken
	ledger   []modelNote
	made     int // tokens and generations

	ghost ghost
	left  budget // of what may happen only so often

	full bool // storage takes no writes, in histories that go one step after the other

	broken string // the rule that does not hold, and how
}

type modelToken struct {
	id  string
	end time.Duration // true
}

type modelLoad struct {
	id      uint64
	stage   int // 0: nothing was read, 1: the config was, 2: the record was
	account *Account
	record  *Record
}

type modelSave struct {
	SaveRecord

	landed bool
}

type modelLogin struct {
	work      *Work
	began     Reading
	steps     ClockSteps
	trueBegan time.Duration
	cancelled bool
	revoked   bool // all tokens were revoked since it began
}

// modelTell is a flush to the ledger; its entries are nil before the outbox was read.
type modelTell struct {
	entries []OutboxEntry
	read    bool
	written bool
}

type modelKill struct {
	token *Token
	keep  time.Duration
}

type modelNote struct {
	id      string
	revoked bool
}

type modelReader struct {
	Reader

	came time.Duration // true
}

// opStep is where a write of the config has got to.
type opStep int

const (
	opBegins    opStep = iota + 1 // waits until the account is in memory, to verify
	opVerifies                    // waits for the verification, and then for its turn to store
	opStores                      // the config is being written
	opTakesOver                   // it was written, and the issuer is to take it over
)

type modelOp struct {
	step    opStep
	old     *Account // the config as it was when this began
	account *Account // nil to delete
	token   *Token
	work    uint64
	loads   int
	waits   bool // has asked for a load
}

// budget bounds what would make the number of states endless.
type budget struct{ crashes, writes, revokes, forced, setBacks, reads int8 }

func modelEpoch() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

func (w *modelWorld) now() Reading {
	return Reading{Wall: modelEpoch().Add(w.true + w.set), Elapsed: w.true - w.since}
}

func (w *modelWorld) env() Env {
	env := Env{Reading: w.now(), Active: w.active, LastRead: w.lastRead}
	if w.scenario.setsClocks() {
		env.Clock = w.clocks.See(env.Reading)
	}
	return env
}

// inTime is the state by the clock as it goes now.
func (w *modelWorld) inTime() *State {
	s := w.state.At(w.env().Clock, w.now())
	return &s
}

// modelSettings are those that change. Of credentials and headers there are two, 0 and 1.
type modelSettings struct {
	credentials, headers int
	paused               bool
	limit, assumed       time.Duration // max_token_ttl, default_token_ttl
}

func settingsOf(a *Account) modelSettings {
	return modelSettings{credentialsIn(a), len(a.Upstream.Headers), a.Paused, a.MaxTokenTTL, a.Upstream.DefaultTokenTTL}
}

func modelAccount(s modelSettings, percent int, generation string) *Account {
	a := &Account{
		Name: "gst", Generation: generation, RotationPercent: percent, Paused: s.paused, LedgerRetention: time.Hour,
		MaxTokenTTL: s.limit,
		Upstream: upstream.Account{
			Protocol: upstream.JWT, TokenURL: "http://upstream.test/", RefreshURL: "http://upstream.test/refresh",
			Username: fmt.Sprintf("user%d", s.credentials), Password: "p", DefaultTokenTTL: s.assumed, RequestTimeout: 15 * time.Second,
		},
	}
	if s.headers > 0 {
		a.Upstream.Headers = map[string]string{"Productid": "arap"}
	}
	return a
}

// credentialsIn are which ones an account has.
func credentialsIn(a *Account) int { return int(a.Upstream.Username[4] - '0') }

func (w *modelWorld) fresh(prefix string) string {
	w.made++
	return fmt.Sprintf("%s%d", prefix, w.made)
}

// apply has something happen to the account, and records what is to be done.
func (w *modelWorld) apply(event Event) { w.applyAs(event, w.active) }

func (w *modelWorld) applyAs(event Event, active bool) {
	env := w.env()
	w.clocks = env.Clock
	env.Active = active
	before := w.state
	next, effects := before.Apply(env, event)
	w.state = next
	if err := next.Check(); err != nil {
		w.breaks("the state is sound", err.Error())
	}
	for _, effect := range effects {
		switch e := effect.(type) {
		case LoadAccount:
			w.loads = append(slices.Clone(w.loads), modelLoad{id: e.ID})
		case SaveRecord:
			if !active {
				w.breaks(ruleWho, "a node that may not write does")
			}
			if w.save != nil {
				w.breaks(ruleSound, "two writes are in flight")
			}
			w.save = &modelSave{SaveRecord: e}
		case Login:
			if !active {
				w.breaks(ruleWho, "a node that may not log in does")
			}
			w.sent(e.Work)
			w.logins = append(slices.Clone(w.logins), modelLogin{work: e.Work, began: w.now(), steps: w.clocks, trueBegan: w.true})
		case CancelLogin:
			w.logins = slices.Clone(w.logins)
			for n := range w.logins {
				if w.logins[n].work.ID == e.Work {
					w.logins[n].cancelled = true
					w.ghost.givenUp(w, w.logins[n].work)
				}
			}
		case SendToLedger:
			if w.tell == nil {
				w.tell = &modelTell{}
			}
		}
	}
	w.applied(&before, event)
}

// breaks records a rule that does not hold; the first counts.
func (w *modelWorld) breaks(rule, how string) {
	if w.broken == "" {
		w.broken = rule + ": " + how
	}
}

// goOn lets everything happen that needs no decision: callers ask again, and storage that is not slow responds.
func (w *modelWorld) goOn() {
	for range 1000 {
		if w.broken != "" {
			return
		}
		w.askAgain()
		if !w.opGoesOn() && !w.respondAtOnce() {
			return
		}
	}
	w.breaks(ruleWait, "the account never comes to rest")
}

// respondAtOnce has one effect end whose end is no decision of this scenario, and reports whether there was one.
func (w *modelWorld) respondAtOnce() bool {
	s := w.scenario
	switch {
	case len(w.loads) > 0 && !s.slowLoads:
		w.loadGoesOn(0)
	case w.save != nil && !s.slowSaves:
		if w.full {
			w.saveEnds(false, errModelStorage)
		} else {
			w.saveEnds(true, nil)
		}
	case w.tell != nil && !s.slowLedger:
		w.tellGoesOn()
	case w.op != nil && w.op.step == opStores && !s.slowConfig:
		w.configStored(true, nil)
	default:
		return false
	}
	return true
}

// loadGoesOn reads the next part of a load, or ends it.
func (w *modelWorld) loadGoesOn(n int) {
	w.loads = slices.Clone(w.loads)
	l := &w.loads[n]
	switch l.stage {
	case 0:
		l.account = w.config
	case 1:
		l.record = w.record
	default:
		w.loadEnds(n, Loaded{ID: l.id, Account: l.account, Record: l.record})
		return
	}
	l.stage++
}

func (w *modelWorld) loadEnds(n int, e Loaded) {
	w.loads = slices.Delete(slices.Clone(w.loads), n, n+1)
	w.apply(e)
}

// saveLands has storage take the write that is in flight.
func (w *modelWorld) saveLands() {
	landed := *w.save
	landed.landed = true
	w.save = &landed
	w.record = landed.Record
	w.ghost.landed(landed.Version)
}

func (w *modelWorld) saveEnds(lands bool, err error) {
	if lands && !w.save.landed {
		w.saveLands()
	}
	version := w.save.Version
	w.save = nil
	w.applyAs(Saved{Version: version, Err: err}, true)
}

// tellGoesOn continues a flush to the ledger by one step.
func (w *modelWorld) tellGoesOn() {
	next := *w.tell
	switch {
	case !next.read:
		next.entries, next.read = w.state.Outbox, true
	case !next.written:
		for _, o := range next.entries {
			note := modelNote{id: o.Token.ID, revoked: o.Token.revocation != ""}
			if !slices.Contains(w.ledger, note) {
				w.ledger = append(slices.Clip(w.ledger), note)
			}
		}
		next.written = true
	default:
		w.tell = nil
		if len(next.entries) > 0 {
			w.applyAs(Sent{Entries: next.entries}, true)
		}
		return
	}
	w.tell = &next
}

func (w *modelWorld) reads(rejected string) {
	w.lastRead = w.now().Wall
	r := modelReader{
		Reader: Reader{Rejected: rejected, Arrived: w.now(), Loads: w.state.Loads, Logins: w.state.Logins}, came: w.true,
	}
	if w.asks(&r) {
		w.readers = append(slices.Clip(w.readers), r)
	}
}

// asks has a reader ask the state what it gets, and reports whether it waits.
func (w *modelWorld) asks(r *modelReader) (waits bool) {
	if w.clocks = w.env().Clock; w.state.IsBehind(w.clocks) { // see worker.followClock
		w.applyAs(ClockSet{}, false)
	}
	if w.state.ReadNeeds(w.env(), &r.Reader) {
		if !w.active {
			return false // a node that may not begin anything returns an error
		}
		if w.state.WantsRotation(w.env()) {
			w.apply(Due{})
		} else {
			w.apply(Read{Rejected: r.Rejected})
		}
	}
	v := w.state.Decide(w.env(), &r.Reader)
	if v.Wait {
		w.waiting(r, v)
		return true
	}
	if v.Err == nil {
		w.serves(r)
	}
	return false
}

func (w *modelWorld) askAgain() {
	if len(w.readers) == 0 {
		return
	}
	var waiting []modelReader
	for _, r := range w.readers {
		if w.asks(&r) {
			waiting = append(waiting, r)
		}
	}
	w.readers = waiting
}

// isLoaded is worker.loaded: whether the account is in memory for a caller that writes the config.
func (w *modelWorld) isLoaded(o *modelOp) (ok, failed bool) {
	news := w.state.Loads > o.loads
	switch {
	case w.state.Known == known || news && w.state.LoadErr == nil && w.state.Known == absent:
		return true, false
	case news && w.state.LoadErr != nil:
		return false, true
	}
	w.apply(Want{})
	return false, false
}

// opGoesOn is one step of a caller that writes the config; false where there is none, or it waits.
func (w *modelWorld) opGoesOn() bool {
	if w.op != nil && w.op.step == opTakesOver {
		o := *w.op
		return w.takesOver(&o)
	}
	return w.verify != nil && w.verificationGoesOn(*w.verify)
}

// verificationGoesOn is one step of the caller that verifies settings before it stores them.
func (w *modelWorld) verificationGoesOn(o modelOp) bool {
	if o.step == opBegins {
		ok, failed := w.isLoaded(&o)
		switch {
		case failed || ok && w.state.MayLogin(w.env(), ReasonVerification, o.account) != nil:
			w.verify = nil
			return true
		case ok && w.state.Work == nil:
			w.apply(Verify{Account: o.account})
			o.step, o.work = opVerifies, w.state.WorkID
			w.verify = &o
			return true
		}
		return false
	}
	switch work := w.state.Work; {
	case work == nil || work.ID != o.work:
		w.callerGone()
		return true
	case work.Step == committing && w.op == nil && w.config != o.old:
		w.callerGone() // the config was changed meanwhile
		return true
	case work.Step == committing && w.op == nil:
		o.step, o.token = opStores, work.Token
		w.op, w.verify = &o, nil
		return true
	}
	return false
}

// callerGone ends the caller that verifies.
func (w *modelWorld) callerGone() {
	work := w.verify.work
	w.verify = nil
	if work != 0 {
		w.apply(Abandon{Work: work})
	}
}

// takesOver is Update, or Remove.
func (w *modelWorld) takesOver(o *modelOp) bool {
	if o.account != nil && !o.waits && (w.state.Known == unknown || w.state.Known == stale) {
		o.waits, o.loads = true, w.state.Loads
		w.op = o
		w.apply(Invalidated{})
		return true
	}
	if o.account == nil || o.waits {
		if ok, failed := w.isLoaded(o); !ok {
			if failed {
				w.opEnds(false)
			}
			return failed
		}
	}
	if o.account == nil {
		w.apply(Removed{})
	} else {
		w.apply(Written{Account: o.account})
	}
	w.opEnds(false)
	return true
}

// opEnds lets the caller go. Where it is not known what storage has, that is asked again.
func (w *modelWorld) opEnds(unsure bool) {
	work := w.op.work
	w.op = nil
	if unsure {
		w.applyAs(Invalidated{}, false)
	}
	if work != 0 {
		w.apply(Abandon{Work: work})
	}
}

func (w *modelWorld) configStored(lands bool, err error) {
	o := *w.op
	if lands {
		w.config = o.account
	}
	if err != nil {
		w.opEnds(true)
		return
	}
	o.step, o.loads = opTakesOver, w.state.Loads
	w.op = &o
}

type change int

const (
	changeHeaders change = iota + 1
	changeCredentials
	changePaused
	changeLimit
	changeAssumed
	changeDeleted
)

// changedAccount is the config with a change; ok is false where there is nothing to change.
func (w *modelWorld) changedAccount(c change) (a *Account, ok bool) {
	old := w.config
	if old == nil {
		return modelAccount(modelSettings{assumed: modelLife}, w.scenario.percent, w.fresh("g")), c == changeCredentials
	}
	next, generation := settingsOf(old), old.Generation
	switch c {
	case changeDeleted:
		return nil, true
	case changeHeaders:
		next.headers = 1 - next.headers
		generation = w.fresh("g")
	case changeCredentials:
		next.credentials = 1 - next.credentials
		generation = w.fresh("g")
	case changePaused:
		next.paused = !next.paused
	case changeLimit:
		next.limit = modelLimit - next.limit
	case changeAssumed:
		next.assumed = modelLife + modelAssumed - next.assumed
	}
	return modelAccount(next, w.scenario.percent, generation), true
}

// crash ends the process, and a new one begins: storage is kept, memory is lost.
func (w *modelWorld) crash() {
	w.since, w.clocks = w.since-100*time.Hour, ClockSteps{} // the elapsed clock counts from an arbitrary moment
	w.ghost.crashed(w)
	w.state, w.lastRead = State{bounds: w.state.bounds}, time.Time{}
	w.loads, w.save, w.logins, w.tell, w.kills, w.op, w.verify, w.readers = nil, nil, nil, nil, nil, nil, nil, nil
	w.changed = false
}

// canEvict reports whether the worker would take the account out of memory.
func (w *modelWorld) canEvict() bool {
	return w.op == nil && w.verify == nil && len(w.readers) == 0 && len(w.kills) == 0 && w.state.Known != unknown && w.state.IsIdle(w.env())
}

func (w *modelWorld) evict() {
	w.state = State{bounds: w.state.bounds}
	w.loads, w.logins, w.tell = nil, nil, nil
}
