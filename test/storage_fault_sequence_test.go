// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// accessFault is how an access to storage goes wrong.
type accessFault struct {
	name string
	// late: the access is made, and fails all the same. lasting: so do all that follow. hangUp: it is the caller who gives up.
	late, lasting, hangUp bool
}

// The life of a config is repeated, and another access to storage goes wrong each time, in every way.
func TestStorageFaultSequence_EveryAccessFails(t *testing.T) {
	t.Parallel()
	var calls []string
	t.Run("none", func(t *testing.T) {
		timed(t, "of them", func(t *testing.T) {
			s := newStorageHistory(t)
			s.run(accessFault{}, -1)
			calls = s.Storage.Accesses()[s.began:s.ended]
		})
	})
	check.Require(t, len(calls) != 0, "nothing was counted")
	for _, m := range []accessFault{
		{name: "once"}, {name: "once, and late", late: true}, {name: "from then on", lasting: true},
		{name: "from then on, and late", late: true, lasting: true}, {name: "by the caller", hangUp: true},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for n, call := range calls {
				if m.late && !changes(call) {
					continue // a read that fails late is one that fails
				}
				timed(t, fmt.Sprintf("%d %s", n+1, call), func(t *testing.T) {
					s := newStorageHistory(t)
					s.run(m, s.began+n+1)
				})
			}
		})
	}
	counts := map[string]int{}
	for _, call := range calls {
		counts[call]++
	}
	t.Logf("%d accesses: %s", len(calls), tally(counts))
}

func tally(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}

// changes reports whether an access changes storage.
func changes(call string) bool {
	return strings.HasPrefix(call, mounttest.Put) || strings.HasPrefix(call, mounttest.Delete)
}

// run runs the history, and lets the access of that number go wrong.
func (s *storageHistory) run(m accessFault, number int) {
	var mu sync.Mutex // the engine makes some accesses in the background
	failed := ""
	s.Storage.SetFault(func(n int, access, key string) mounttest.Fault {
		if n < number || n > number && !m.lasting || number < 0 {
			return mounttest.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if failed == "" {
			failed = access + " " + key
		}
		if m.hangUp {
			if cancel := s.cancel.Load(); cancel != nil {
				(*cancel)()
			}
			return mounttest.Fault{}
		}
		return mounttest.Fault{Err: mounttest.ErrStorage(), Late: m.late && changes(access)}
	})
	hit := func() string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return failed
	}
	checked := m.lasting
	for _, d := range operations() {
		if d.before != nil {
			d.before(s)
		}
		before := len(s.messages)
		ok := s.try(d)
		check.Require(s.t, ok || number >= 0, "with a storage that is well: %q", s.messages)
		if hit() == "" || checked {
			check.Require(s.t, ok || m.lasting, "%s failed, and storage was well again: %q", d.name, s.messages)
			continue
		}
		checked = true
		s.checkMessages(hit(), s.messages[before:], m)
		s.check()
		advance(2 * time.Minute)
		s.minute()
		if ok {
			continue
		}
		check.Require(s.t, s.try(d), "%s fails, though storage is well again: %q", d.name, s.messages)
	}
	s.ended = len(s.Storage.Accesses())
	s.Storage.Heal()
	if hit() == "" && number > 0 && number <= s.ended { // one run may need an access less than another
		s.t.Errorf("access %d did not come: this test proves nothing", number)
	}
	advance(2 * time.Minute)
	s.check()
	got := s.logins() - s.extra
	check.True(s.t, m.lasting || got <= mostLogins, "%d logins, want %d at most", got, mostLogins)
	if number < 0 {
		s.t.Logf("%d logins where all goes well", s.logins()-s.extra)
	}
}

// checkMessages checks that what a request was refused with names what went wrong.
func (s *storageHistory) checkMessages(failed string, messages []string, m accessFault) {
	s.t.Helper()
	_, key, _ := strings.Cut(failed, " ")
	for _, message := range messages {
		check.True(s.t, !strings.Contains(message, mounttest.ErrStorage().Error()) || strings.Contains(message, key),
			"the message does not name %s: %s", key, message)
		check.True(s.t, m.hangUp || !strings.Contains(message, "context canceled"), "no request was cancelled, and yet: %s", message)
	}
}

// mostLogins is how many logins the history needs, and two: the one that may be lost, and the one of a repeated request.
const mostLogins = 11

// configState and roleState are what matters of a config and a role; the zero value is one that does not exist.
type configState struct {
	username string
	percent  int
	paused   bool
}

type roleState struct{ maxTTL int }

func (r roleState) exists() bool { return r.maxTTL > 0 }

// operation is one request of a history, and what it does to the config and the role when it succeeds.
type operation struct {
	name   string
	op     logical.Operation
	path   string
	data   map[string]any
	config func(configState) configState
	role   func(roleState) roleState
	// before is done first, such as to let time pass. It is not done again when the operation is.
	before func(*storageHistory)
	// fails says that the operation is to be refused.
	fails bool
}

// storageHistory is the whole life of a config, while storage fails. It knows all states in which config and role may be.
type storageHistory struct {
	*testMount

	configs  map[configState]bool
	roles    map[roleState]bool
	seen     map[string]bool // by token ID
	revoked  map[string]bool
	cancel   atomic.Pointer[context.CancelFunc] // of the request under way
	began    int                                // accesses before the first operation
	ended    int                                // accesses after the last one
	messages []string                           // what was refused, and how
	extra    int                                // logins that only the checks have made
	// refusing says that the upstream has refused the credentials, and no login was made since.
	refusing bool
}

func newStorageHistory(t *testing.T) *storageHistory {
	t.Helper()
	var accounts []simulator.Account
	for n := range 3 {
		accounts = append(accounts, jwtAccount(func(a *simulator.Account) { a.Username = clerk(n) }))
	}
	w := newTestMount(t, accounts...)
	synctest.Wait()
	return &storageHistory{
		testMount: w, configs: map[configState]bool{{}: true}, roles: map[roleState]bool{{}: true},
		seen: map[string]bool{}, revoked: map[string]bool{}, began: len(w.Storage.Accesses()),
	}
}

// operations are those of a history.
func operations() []operation {
	create := func(n int, verify bool) operation {
		return operation{
			name: fmt.Sprintf("create the config of %s", clerk(n)), op: logical.UpdateOperation, path: "config/gst",
			data:   with(jwtV2().config, "username", clerk(n), "verify_connection", verify, "rotation_percent", 66, "paused", false),
			config: func(configState) configState { return configState{clerk(n), 66, false} },
		}
	}
	update := func(name string, change func(configState) configState, data map[string]any) operation {
		return operation{
			name: name, op: logical.UpdateOperation, path: "config/gst", data: data,
			config: func(c configState) configState {
				if c.username == "" {
					return c
				}
				return change(c)
			},
		}
	}
	look := func(op logical.Operation, path string) operation {
		return operation{name: "look at " + path, op: op, path: path}
	}
	read := operation{name: "read", op: logical.ReadOperation, path: "token/app"}
	later := func(d operation, span time.Duration) operation {
		d.before = func(*storageHistory) { advance(span) }
		return d
	}
	reloaded := func(d operation) operation {
		d.before = func(s *storageHistory) { s.Reload() }
		return d
	}
	rotate := later(operation{name: "rotate", op: logical.UpdateOperation, path: "rotate/gst"}, 11*time.Second)
	revoke := operation{name: "revoke", op: logical.UpdateOperation, path: "revoke/gst"}
	role := func(name string, maxTTL int) operation {
		return operation{
			name: name, op: logical.UpdateOperation, path: "role/app", data: map[string]any{"config": "gst", "max_ttl": maxTTL},
			role: func(roleState) roleState { return roleState{maxTTL} },
		}
	}
	refuse := func(s *storageHistory) {
		advance(11 * time.Second)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse})
		s.refusing = true
	}
	forgive := func(s *storageHistory) {
		s.Simulator.SetFault("", simulator.Fault{})
		advance(61 * time.Second)
	}
	return []operation{
		create(0, true), role("create the role", 3600), read, rotate, read,
		update("rotate earlier", func(c configState) configState { c.percent = 50; return c }, map[string]any{"rotation_percent": 50}),
		update("change the user", func(c configState) configState { c.username = clerk(1); return c },
			map[string]any{"username": clerk(1), "password": "pass-of-clerk"}),
		read, role("change the role", 600), read, revoke, read, reloaded(read),
		look(logical.ReadOperation, "config/gst"), look(logical.ListOperation, "config/"), look(logical.ReadOperation, "role/app"),
		look(logical.ListOperation, "role/"), look(logical.ReadOperation, "status/gst"), look(logical.ListOperation, "status/"),
		update("pause", func(c configState) configState { c.paused = true; return c }, map[string]any{"paused": true}),
		update("resume", func(c configState) configState { c.paused = false; return c }, map[string]any{"paused": false}),
		read, later(read, 13*time.Hour), reloaded(revoke), read,
		{name: "rotate, refused", op: logical.UpdateOperation, path: "rotate/gst", before: refuse, fails: true},
		reloaded(read),
		{name: "rotate, forgiven", op: logical.UpdateOperation, path: "rotate/gst", before: forgive},
		{name: "delete the role", op: logical.DeleteOperation, path: "role/app", role: func(roleState) roleState { return roleState{} }},
		{
			name: "delete the config", op: logical.DeleteOperation, path: "config/gst",
			config: func(configState) configState { return configState{} },
		},
		create(2, false), role("create the role again", 1800), read, reloaded(read),
	}
}

// try sends the request of an operation and notes what it may have changed. It reports whether it went as it should.
func (s *storageHistory) try(d operation) bool {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	s.cancel.Store(&cancel)
	resp, err := s.do(ctx, d.op, d.path, d.data)
	synctest.Wait()
	r, refused := asRefusal(resp, err)
	if refused {
		s.hides(r.message, jwtV2().secrets()...)
		s.messages = append(s.messages, d.name+": "+r.message)
	}
	s.configs = moved(s.configs, d.config, refused)
	s.roles = moved(s.roles, d.role, refused)
	if !refused {
		s.note(d, resp)
	}
	return refused == d.fails
}

// moved are the states that may be after a change, or before it where it may have failed.
func moved[T comparable](states map[T]bool, change func(T) T, failed bool) map[T]bool {
	if change == nil {
		return states
	}
	next := map[T]bool{}
	for state := range states {
		next[change(state)] = true
		if failed {
			next[state] = true
		}
	}
	return next
}

// note looks at a response in the light of what is known.
func (s *storageHistory) note(d operation, resp *logical.Response) {
	s.t.Helper()
	switch {
	case d.path == "token/app":
		s.checkToken("the engine", resp)
	case d.path == "rotate/gst", d.data["username"] != nil:
		s.refusing = false
	case strings.HasPrefix(d.path, "revoke/"):
		tokens, _ := resp.Data["tokens"].(map[string]any)
		for id := range tokens {
			s.revoked[id] = true
		}
		maps.Copy(s.revoked, s.seen)
	}
}

// checkToken checks a token that was served: it is alive, not revoked, and of a user that the config may have.
func (s *storageHistory) checkToken(whose string, resp *logical.Response) {
	s.t.Helper()
	id, token := text(s.t, resp.Data, "token_id"), text(s.t, resp.Data, "access_token")
	check.True(s.t, !s.revoked[id], "%s serves a token that was revoked", whose)
	check.True(s.t, s.Simulator.TokenAlive(token), "%s serves a token that is dead", whose)
	user, _ := claims(token)
	served := func(c configState) bool { return c.username == user && !c.paused }
	check.True(s.t, slices.ContainsFunc(slices.Collect(maps.Keys(s.configs)), served),
		"%s serves a token of %s, and the config may be %v", whose, user, s.configs)
	s.seen[id] = true
}

// check compares the engine, with storage healed, to one that begins anew on a copy of the storage: both must be in one state.
func (s *storageHistory) check() {
	s.t.Helper()
	s.Storage.WithoutFaults(func() {
		s.checkAs("the engine, healed,")
		logins := s.logins()
		s.OnCopy(func() {
			synctest.Wait()
			s.checkAs("an engine that begins anew")
		})
		synctest.Wait()
		s.extra += s.logins() - logins
	})
}

func (s *storageHistory) checkAs(whose string) {
	s.t.Helper()
	config, role := s.states(whose)
	check.True(s.t, s.configs[config], "%s has the config %+v, which may be %v", whose, config, s.configs)
	check.True(s.t, s.roles[role], "%s has the role %+v, which may be %v", whose, role, s.roles)
	s.configs, s.roles = map[configState]bool{config: true}, map[roleState]bool{role: true}
	resp, err := s.tryRead("token/app", nil)
	if err != nil {
		advance(2 * time.Minute) // a pause
		resp, err = s.tryRead("token/app", nil)
	}
	able := config.username != "" && !config.paused && role.exists()
	switch {
	case err != nil && able && !s.refusing:
		s.t.Errorf("%s serves no token: %v", whose, err)
	case err == nil && !able:
		s.t.Errorf("%s serves a token, with config %+v and role %+v", whose, config, role)
	case err == nil:
		s.checkToken(whose, resp)
		life := resp.Secret.TTL
		check.True(s.t, life <= time.Duration(role.maxTTL)*time.Second, "%s gives a lease of %s, and the role allows %d s", whose, life, role.maxTTL)
	}
}

// states are what the engine says of the config and the role.
func (s *storageHistory) states(whose string) (c configState, r roleState) {
	s.t.Helper()
	config, err := s.tryRead("config/gst", nil)
	if err != nil {
		s.t.Errorf("%s: config/gst: %v", whose, err)
	} else if config != nil {
		c.username, _ = config.Data["username"].(string)
		c.percent, _ = config.Data["rotation_percent"].(int)
		c.paused, _ = config.Data["paused"].(bool)
	}
	role, err := s.tryRead("role/app", nil)
	if err != nil {
		s.t.Errorf("%s: role/app: %v", whose, err)
	} else if role != nil {
		r.maxTTL, _ = role.Data["max_ttl"].(int)
	}
	return c, r
}
