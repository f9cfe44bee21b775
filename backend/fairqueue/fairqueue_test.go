// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package fairqueue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/fairqueue"
)

func epoch() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// due is a plan whose time has come, so many minutes ago.
func due(minutes int) fairqueue.Plan {
	at := epoch().Add(-time.Duration(minutes) * time.Minute)
	return fairqueue.Plan{At: at, Since: at}
}

// all gives every slot that there is, and does not give them back.
func all(q *fairqueue.Queue[string]) (keys []string, given []*fairqueue.Slot) {
	for {
		key, slot, ok := q.Next(epoch())
		if !ok {
			return keys, given
		}
		keys, given = append(keys, key), append(given, slot)
	}
}

func TestNext_LongestWaitFirst(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	q.Set("second", "a", due(2), epoch())
	q.Set("third", "b", due(1), epoch())
	q.Set("later", "a", due(-1), epoch())
	q.Set("first", "b", due(3), epoch())
	if keys, _ := all(q); !slices.Equal(keys, []string{"first", "second", "third"}) {
		t.Errorf("the slots went to %q", keys)
	}
	if got := q.Sleep(epoch(), time.Hour); got != time.Minute {
		t.Errorf("the next is due in %s, want 1m", got)
	}
}

// TestNext_HungHostDelaysNoOther: one host has all the slots that it may have, and gives none back.
func TestNext_HungHostDelaysNoOther(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	for n := range 20 {
		q.Set(fmt.Sprint("hung", n), "hung", due(60), epoch())
	}
	if keys, _ := all(q); len(keys) != 8 {
		t.Fatalf("one host has %d slots at a time, want 8", len(keys))
	}
	for n := range 50 {
		q.Set(fmt.Sprint("host", n), fmt.Sprint("host", n), due(1), epoch())
	}
	if keys, _ := all(q); len(keys) != 50 {
		t.Errorf("%d of 50 other hosts had a slot", len(keys))
	}
}

func TestNext_SharedLimit(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	for host := range 10 {
		for n := range 8 {
			q.Set(fmt.Sprint(host, "-", n), fmt.Sprint(host), due(1), epoch())
		}
	}
	_, given := all(q)
	if len(given) != 10+32 {
		t.Fatalf("ten hosts have %d slots at a time, want one each and 32 more", len(given))
	}
	for _, slot := range given {
		q.GiveBack(slot)
	}
	if keys, _ := all(q); len(keys) != 80-42 {
		t.Errorf("%d slots followed, want %d", len(keys), 80-42)
	}
}

// TestSet_KeepsThePlace: an account that is planned anew while it waits does not fall behind.
func TestSet_KeepsThePlace(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	q.Set("holder", "a", due(9), epoch())
	for n := range 7 {
		q.Set(fmt.Sprint("other", n), "a", due(8), epoch())
	}
	_, given := all(q)
	q.Set("busy", "a", due(5), epoch())
	q.Set("patient", "a", due(4), epoch())
	if keys, _ := all(q); len(keys) > 0 { // they are in the queue now
		t.Fatalf("%q had a slot at a host that may have no more", keys)
	}
	q.Set("busy", "a", due(0), epoch())
	q.GiveBack(given[0])
	if key, _, _ := q.Next(epoch()); key != "busy" {
		t.Errorf("the slot went to %q, want busy", key)
	}
	q.Set("patient", "a", due(-1), epoch()) // put off
	q.GiveBack(given[1])
	if key, _, ok := q.Next(epoch()); ok {
		t.Errorf("the slot went to %q, whose time was put off", key)
	}
}

func TestTry_NotAheadOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	for n := range 9 {
		q.Set(fmt.Sprint(n), "a", due(9-n), epoch())
	}
	_, given := all(q)
	q.GiveBack(given[0])
	if q.Try("new", "a") != nil {
		t.Error("an account had a slot ahead of one that waits")
	}
	if q.Try("8", "a") == nil {
		t.Error("the account that waits longest was refused a slot")
	}
	if q.Try("new", "b") == nil {
		t.Error("an account of a free host was refused a slot")
	}
}

func TestRemove_NoSlot(t *testing.T) {
	t.Parallel()
	q := fairqueue.New[string]()
	q.Set("gone", "a", due(1), epoch())
	if !q.AnyDue(epoch()) || !q.IsDue("gone", epoch()) {
		t.Error("the account is not due")
	}
	q.Remove("gone")
	if keys, _ := all(q); len(keys) > 0 || q.AnyDue(epoch()) {
		t.Errorf("%q had a slot", keys)
	}
}
