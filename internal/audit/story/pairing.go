// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import "hash/maphash"

// half is one of the two entries of a request.
type half uint8

const (
	requestHalf half = 1 << iota
	responseHalf
)

// pairing counts entries without their other half, and entries that come twice. It remembers the newest requests only: in a log
// the two halves are close together.
type pairing struct {
	seed maphash.Seed
	seen map[uint64]half
	// order is a ring of the remembered requests, oldest at next.
	order []uint64
	next  int

	requestsAlone, responsesAlone, duplicates int64
}

func newPairing(window int) *pairing {
	return &pairing{seed: maphash.MakeSeed(), seen: make(map[uint64]half), order: make([]uint64, 0, window)}
}

// key names a request in little memory. Two of a million requests get the same key once in 10^7 logs.
func (p *pairing) key(id string) uint64 { return maphash.String(p.seed, id) }

// note takes one half; again tells that it came before.
func (p *pairing) note(key uint64, h half) (again bool) {
	had, known := p.seen[key]
	if had&h != 0 {
		p.duplicates++
		return true
	}
	p.seen[key] = had | h
	if !known {
		p.remember(key)
	}
	return false
}

func (p *pairing) remember(key uint64) {
	if len(p.order) < cap(p.order) {
		p.order = append(p.order, key)
		return
	}
	p.forget(p.order[p.next])
	p.order[p.next] = key
	p.next = (p.next + 1) % len(p.order)
}

func (p *pairing) forget(key uint64) {
	switch p.seen[key] {
	case requestHalf:
		p.requestsAlone++
	case responseHalf:
		p.responsesAlone++
	default:
	}
	delete(p.seen, key)
}

// end counts what is still without its other half.
func (p *pairing) end() {
	for _, key := range p.order {
		p.forget(key)
	}
	p.order = p.order[:0]
	p.next = 0
}
