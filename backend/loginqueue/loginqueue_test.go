// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package loginqueue_test

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/loginqueue"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func epoch() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// due is a plan whose time has come, so many minutes ago.
func due(minutes int) loginqueue.Plan {
	at := epoch().Add(-time.Duration(minutes) * time.Minute)
	return loginqueue.Plan{At: at, Since: at}
}

// all gives every slot that there is, and does not give them back.
func all(q *loginqueue.Queue[string]) (keys []string, given []*loginqueue.Slot) {
	for {
		key, slot, ok := q.Next(epoch())
		if !ok {
			return keys, given
		}
		keys, given = append(keys, key), append(given, slot)
	}
}

// keysOf are the accounts that get a slot of those that there are.
func keysOf(q *loginqueue.Queue[string]) []string {
	keys, _ := all(q)
	return keys
}

func TestNext_LongestWaitFirst(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	q.Set("second", "a", due(2), epoch())
	q.Set("third", "b", due(1), epoch())
	q.Set("later", "a", due(-1), epoch())
	q.Set("first", "b", due(3), epoch())
	check.Equal(t, keysOf(q), []string{"first", "second", "third"}, "the slots went to")
	check.Equal(t, q.Sleep(epoch(), time.Hour), time.Minute, "the next is due in")
}

// TestNext_HungHostDelaysNoOther: one host has all the slots that it may have, and gives none back.
func TestNext_HungHostDelaysNoOther(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	for n := range 20 {
		q.Set(fmt.Sprint("hung", n), "hung", due(60), epoch())
	}
	check.RequireEqual(t, len(keysOf(q)), 8, "slots of one host at a time")
	for n := range 50 {
		q.Set(fmt.Sprint("host", n), fmt.Sprint("host", n), due(1), epoch())
	}
	check.Equal(t, len(keysOf(q)), 50, "of 50 other hosts had a slot")
}

func TestNext_SharedLimit(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	for host := range 10 {
		for n := range 8 {
			q.Set(fmt.Sprint(host, "-", n), fmt.Sprint(host), due(1), epoch())
		}
	}
	_, given := all(q)
	check.RequireEqual(t, len(given), 10+32, "slots of ten hosts at a time, which are one each and 32 more")
	for _, slot := range given {
		q.GiveBack(slot)
	}
	check.Equal(t, len(keysOf(q)), 80-42, "slots followed")
}

// TestSet_KeepsThePlace: an account that is planned anew while it waits does not fall behind.
func TestSet_KeepsThePlace(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	q.Set("holder", "a", due(9), epoch())
	for n := range 7 {
		q.Set(fmt.Sprint("other", n), "a", due(8), epoch())
	}
	_, given := all(q)
	q.Set("busy", "a", due(5), epoch())
	q.Set("patient", "a", due(4), epoch())
	check.RequireEqual(t, len(keysOf(q)), 0, "slots at a host that may have no more, while they are in the queue,")
	q.Set("busy", "a", due(0), epoch())
	q.GiveBack(given[0])
	key, _, _ := q.Next(epoch())
	check.Equal(t, key, "busy", "the slot went to")
	q.Set("patient", "a", due(-1), epoch()) // put off
	q.GiveBack(given[1])
	key, _, ok := q.Next(epoch())
	check.True(t, !ok, "the slot went to %q, whose time was put off", key)
}

func TestTry_NotAheadOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	for n := range 9 {
		q.Set(fmt.Sprint(n), "a", due(9-n), epoch())
	}
	_, given := all(q)
	q.GiveBack(given[0])
	check.True(t, q.Try("new", "a") == nil, "an account had a slot ahead of one that waits")
	check.True(t, q.Try("8", "a") != nil, "the account that waits longest was refused a slot")
	check.True(t, q.Try("new", "b") != nil, "an account of a free host was refused a slot")
}

func TestRemove_NoSlot(t *testing.T) {
	t.Parallel()
	q := loginqueue.New[string]()
	q.Set("gone", "a", due(1), epoch())
	check.True(t, q.AnyDue(epoch()) && q.IsDue("gone", epoch()), "the account is not due")
	q.Remove("gone")
	check.True(t, len(keysOf(q)) == 0 && !q.AnyDue(epoch()), "an account that was removed had a slot, or is due")
}
