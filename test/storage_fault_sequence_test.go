// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
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

// tally shows counts by name.
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

// mostLogins is how many logins the history needs when all goes well, and two: the one whose outcome may be lost, and the one
// that a request makes which is made again.
const mostLogins = 11
