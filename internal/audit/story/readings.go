// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"slices"
	"time"
)

// readingKey is what is told apart when reads are counted.
type readingKey struct {
	who, asker          whoRef
	kind                Kind
	role                string
	token               tokenRef
	wrapped, unanswered bool
}

type reading struct {
	count, unwrapped int64
	first, last      time.Time
	// lastBegan is when the newest of the requests began.
	lastBegan time.Time
	lease     string
	remote    []string
}

// mostRemotes bounds the addresses that are listed for one reader.
const mostRemotes = 8

// tally is what readings and refusals have in common.
func (r *reading) tally(at time.Time, remote string) {
	r.count++
	if r.first.IsZero() || at.Before(r.first) {
		r.first = at
	}
	if at.After(r.last) {
		r.last = at
	}
	r.remote = addRemote(r.remote, remote)
}

func addRemote(all []string, remote string) []string {
	switch {
	case remote == "" || slices.Contains(all, remote):
	case len(all) < mostRemotes:
		all = append(all, remote)
	case len(all) == mostRemotes:
		all = append(all, "and more")
	}
	return all
}

type refusalKey struct {
	who     whoRef
	outcome Outcome
	path    string
	failure string
}

// book is a map that is bounded: what finds no room is counted under the key that overflow makes of it.
type book[K comparable, V any] struct {
	all    map[K]*V
	most   int
	missed int64
}

func newBook[K comparable, V any](most int) *book[K, V] {
	return &book[K, V]{all: make(map[K]*V), most: most}
}

// What is wanted above all else has more room.
func (b *book[K, V]) at(key K, wanted bool, overflow func(K) K) *V {
	if v := b.all[key]; v != nil {
		return v
	}
	most := b.most
	if wanted {
		most *= 4
	}
	if len(b.all) >= most {
		b.missed++
		key = overflow(key)
		if v := b.all[key]; v != nil {
			return v
		}
	}
	v := new(V)
	b.all[key] = v
	return v
}
