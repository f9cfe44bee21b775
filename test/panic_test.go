// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// clockPanic makes a clock panic at one of its calls, though only below a function that recovers: elsewhere it would end the test.
type clockPanic struct {
	below string       // the end of the function's name
	left  atomic.Int64 // calls until the panic; below 0 there is none
}

// newClockPanic gives the mount such a clock, which does not panic until calls are left.
func newClockPanic(s *testMount, below string) *clockPanic {
	c := &clockPanic{below: below}
	c.left.Store(-1)
	s.Clock.BeforeReading(c.beforeReading)
	return c
}

func (c *clockPanic) beforeReading() {
	if c.left.Load() >= 0 && isCaller(c.below) && c.left.Add(-1) < 0 {
		panic("the clock of the test has stopped")
	}
}

// isCaller reports whether the function is among the callers.
func isCaller(name string) bool {
	var pcs [256]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

// expectPanic sends a request that may panic. Where the engine recovers by itself, it responds with an error.
func expectPanic(send func()) {
	defer func() { _ = recover() }()
	send()
}

// A panic in the middle of a request is that request's end, and not the account's.
func TestPanic_LeavesNoLock(t *testing.T) {
	t.Parallel()
	request := func(op logical.Operation, path string, data map[string]any) func(s *testMount) {
		return func(s *testMount) { _, _ = s.do(context.WithoutCancel(s.t.Context()), op, path, data) }
	}
	for name, send := range map[string]func(s *testMount){
		"read":           request(logical.ReadOperation, "token/app", nil),
		"rotate":         request(logical.UpdateOperation, "rotate/gst", nil),
		"revoke":         request(logical.UpdateOperation, "revoke/gst", nil),
		"status":         request(logical.ReadOperation, "status/gst", nil),
		"write":          request(logical.UpdateOperation, "config/gst", branch("7", "verify_connection", false)),
		"verified write": request(logical.UpdateOperation, "config/gst", branch("8")),
		"delete":         request(logical.DeleteOperation, "config/gst", nil),
		"invalidation":   func(s *testMount) { s.Backend().InvalidateKey(s.t.Context(), "config/gst") },
		"minute": func(s *testMount) {
			req := s.Request(logical.RollbackOperation, "", nil)
			_, _ = s.Backend().HandleRequest(context.WithoutCancel(s.t.Context()), req)
		},
	} {
		for _, warm := range []bool{true, false} {
			if !warm && name != "read" {
				continue // the others do the same with and without a token
			}
			t.Run(fmt.Sprintf("%s, warm %t", name, warm), func(t *testing.T) {
				t.Parallel()
				panicked := 0
				for call := range 20 {
					if !panicAt(t, int64(call), warm, send) {
						break
					}
					panicked++
				}
				t.Logf("%d calls of the clock panicked", panicked)
			})
		}
	}
}

// panicAt has the given call of the clock panic in a request, if it comes to that, and sends others, which must succeed.
func panicAt(t *testing.T, call int64, warm bool, send func(*testMount)) bool {
	t.Helper()
	const hangs = 12 * time.Second // less than the engine waits for anything, and much on a busy machine
	s := gstMount(t, time.Hour)
	clock := newClockPanic(s, ".expectPanic")
	s.Reload()
	if warm {
		s.token("app")
	}
	ends := func(within time.Duration, what string, f func()) {
		t.Helper()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f()
		}()
		select {
		case <-ended:
		case <-time.After(within):
			t.Fatalf("%s hangs after a panic at call %d of the clock", what, call+1)
		}
	}
	clock.left.Store(call)
	ends(hangs, "the request", func() { expectPanic(func() { send(s) }) })
	if clock.left.Swap(-1) >= 0 {
		return false
	}
	for _, next := range []request{
		{logical.ReadOperation, "status/gst", nil},
		{logical.ReadOperation, "token/app", nil}, // it may wait for a login
		{logical.UpdateOperation, "revoke/gst", nil},
		{logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51}},
	} {
		ends(2*hangs, next.String(), func() { _, _ = s.do(context.WithoutCancel(t.Context()), next.op, next.path, next.data) })
	}
	ends(hangs, "the end of the plugin", func() { s.Backend().Cleanup(context.WithoutCancel(t.Context())) })
	return true
}

// The engine panics once while it notes a result. Who waits gets an error at most, and the next request what is in storage.
func TestPanic_InAResult(t *testing.T) {
	each(t, map[string]request{
		"read":   {logical.ReadOperation, "token/app", nil},
		"rotate": {logical.UpdateOperation, "rotate/gst", nil},
		"write":  {logical.UpdateOperation, "config/gst", branch("7")},
	}, func(t *testing.T, c request) {
		panicked := 0
		for call := range int64(20) {
			s := gstMount(t, time.Hour)
			s.EveryMinute()
			clock := newClockPanic(s, ".(*worker).ended")
			revoked := s.token("app")
			advance(time.Minute)
			s.revoke("")
			clock.left.Store(call)
			s.wait(s.asyncRequest(t.Context(), c.op, c.path, c.data))
			if clock.left.Swap(-1) >= 0 {
				break
			}
			panicked++
			advance(time.Minute + 5*time.Second) // the account is read again, and a login that was cut off counts as a failure
			a := s.token("app")
			check.True(t, a.id != revoked.id && s.Simulator.TokenAlive(a.access), "call %d: a read gives a token that was revoked, or is dead", call)
			n := s.logins()
			check.True(t, n <= 4, "call %d: %d logins", call, n)
			s.write("config/gst", branch("8"))
			s.Stop()
		}
		t.Logf("%d calls panicked", panicked)
		check.Require(t, panicked != 0, "nothing has panicked")
	})
}

// twoAccounts is a mount whose clock panics once, at that call below a function, with a token of each of two accounts.
func twoAccounts(t *testing.T, below string, call int64) (*testMount, *clockPanic) {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.write("config/other", jwtConfig("verify_connection", false))
	s.write("role/kiosk", map[string]any{"config": "other"})
	clock := newClockPanic(s, below)
	clock.left.Store(call)
	s.token("app")
	s.token("kiosk")
	return s, clock
}

// The rotation of one account panics. That of the other goes on, also before the next sweep.
func TestPanic_InARotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		panicked := 0
		for call := range int64(20) {
			s, clock := twoAccounts(t, ".useSlot", call)
			advance(50 * time.Minute)
			if clock.left.Swap(-1) >= 0 {
				break
			}
			panicked++
			check.True(t, s.logins() >= 3, "call %d: %d logins of two accounts: neither was rotated", call, s.logins())
			s.EveryMinute()
			advance(2 * time.Minute)
			s.wantLogins(4, "of two accounts, once the sweep has come")
			s.Stop()
		}
		check.Require(t, panicked != 0, "nothing has panicked")
	})
}

// Taking note of what the ledger has taken panics. The ledger gets the next tokens all the same.
func TestPanic_InTheOutbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		panicked := 0
		for call := range int64(20) {
			s, clock := twoAccounts(t, ".(*outbox).send", call)
			s.EveryMinute()
			advance(50 * time.Minute)
			if clock.left.Swap(-1) >= 0 {
				break
			}
			panicked++
			known := s.storedUnder("ledger/id/")
			for _, role := range []string{"app", "kiosk"} {
				id := s.token(role).id
				check.True(t, known["ledger/id/"+id] != "", "call %d: the ledger's storage does not know token %s of %s", call, id, role)
			}
			s.Stop()
		}
		check.Require(t, panicked != 0, "nothing has panicked")
	})
}

// An access to storage panics, once. That is the end neither of the account nor of the ledger.
func TestPanic_InStorage(t *testing.T) {
	type testCase struct {
		kind, prefix string
		cold         bool
	}
	each(t, map[string]testCase{
		"note of a login": {mounttest.Put, "token/", false},
		"load":            {mounttest.Get, "token/", true},
		"ledger":          {mounttest.Put, "ledger/", false},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		if c.cold {
			s.Reload()
		}
		var panicked atomic.Bool
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if kind == c.kind && strings.HasPrefix(key, c.prefix) && panicked.CompareAndSwap(false, true) {
				panic("the storage of the test has stopped")
			}
			return mounttest.Fault{}
		})
		_, _ = s.ask(t.Context(), "app", nil)
		advance(time.Second) // the ledger is written in the background
		check.Require(t, panicked.Load(), "nothing has panicked")
		advance(5 * time.Minute)
		a, err := s.ask(t.Context(), "app", nil)
		check.Require(t, err == nil, "five minutes after the panic a read says: %v", err)
		s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51}))
		advance(5 * time.Minute)
		check.True(t, s.storedUnder("ledger/id/")["ledger/id/"+a.id] != "", "ten minutes after the panic the ledger's storage does not know the token")
	})
}

// Storage cannot be read when the engine wants to read the account again after a panic. What it has of the account stays.
func TestPanic_InAResultKeepsRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		panicked := 0
		for call := range int64(20) {
			s := gstMount(t, 24*time.Hour)
			s.EveryMinute()
			clock := newClockPanic(s, ".(*worker).ended")
			s.loginsReturn(`{"token":"invented-access-token-1","expires_in":86400}`)
			revoked := s.token("app")
			s.revoke("")
			s.loginsReturn(`{"token":"invented-access-token-2","expires_in":86400}`)
			second := s.token("app")
			advance(2 * time.Minute)
			s.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage())
			clock.left.Store(call)
			s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "rotate/gst", nil))
			if clock.left.Swap(-1) >= 0 {
				break
			}
			panicked++
			advance(3 * time.Minute)
			s.Storage.Heal()
			a := s.token("app")
			check.True(t, a.id == second.id, "call %d: a read gives token %s, want %s, which storage has", call, a.id, second.id)
			s.loginsReturn(`{"token":"invented-access-token-1","expires_in":86400}`)
			_, _ = s.rotate()
			s.wantNotRead(revoked.id)
			s.Stop()
		}
		check.Require(t, panicked != 0, "nothing has panicked")
	})
}

// The engine panics whenever it takes note of a write. That does not become a loop of writes.
func TestPanic_InEachResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const most = 100
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		clock := newClockPanic(s, ".(*worker).ended")
		first := s.token("app")
		advance(2 * time.Minute)
		writes := 0
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if kind == mounttest.Put && strings.HasPrefix(key, "token/") {
				if writes++; writes <= most {
					clock.left.Store(0)
				}
			}
			return mounttest.Fault{}
		})
		s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "rotate/gst", nil))
		advance(10 * time.Minute)
		check.True(t, writes >= 2 && writes <= 30, "%d writes in ten minutes, want one or two a minute", writes)
		s.Storage.Heal()
		a := s.token("app")
		check.True(t, a.id == first.id, "a read gives token %s, want %s, which storage has", a.id, first.id)
	})
}

// A panic below a write of storage is the end of the request, and not of the process.
func TestPanic_BelowAWriteOfStorage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, book := oauth().logged(t)
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if kind == mounttest.Put && key == "role/other" {
				panic("what may be a secret")
			}
			return mounttest.Fault{}
		})
		_, err := s.do(context.WithoutCancel(t.Context()), logical.UpdateOperation, "role/other", map[string]any{"config": "gst"})
		check.Equal(t, codeOf(err), 500, "code")
		s.says(book.String(), "panic")
		s.hides(book.String()+err.Error(), "what may be a secret")
	})
}
