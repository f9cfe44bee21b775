// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

const (
	// rotatingClients is the load under which the account that rotates is measured.
	rotatingClients = 16
	// rotationEvery is the time between the rotations of that account, the login itself not counted.
	rotationEvery = rotatingLife * rotatingPercent / 100
	// rotationWindow is long enough for two rotations, wherever between two of them it begins.
	rotationWindow = 2*rotationEvery + time.Second
)

// measureRotation measures the same reads of an account whose token is rotated meanwhile and of one whose token is not: in
// windows of one length and by turns, so that nothing differs but the rotations. It keeps what readers saw around a login too.
func (b *bench) measureRotation(ctx context.Context, s *stage, round int) ([]results.Cell, error) {
	var calm, rotating observation
	for pair := range b.windows {
		for _, row := range turned([]string{results.RowOursCalm, results.RowOursRotating}, round+pair) {
			o := &rotating
			if row == results.RowOursCalm {
				o = &calm
				// A token that was read is rotated once more, and then no longer, since it is not read.
				if err := wait(ctx, rotationEvery+time.Second); err != nil {
					return nil, err
				}
			}
			if err := b.observe(ctx, s, o, row, rotatingClients, rotationWindow); err != nil {
				return nil, err
			}
		}
	}
	b.keepAround(s.storage, rotating.sample, s.logins.times())
	return []results.Cell{
		b.cell(s, results.RowOursCalm, rotatingClients, &calm),
		b.cell(s, results.RowOursRotating, rotatingClients, &rotating),
	}, nil
}

// keepAround sorts reads by when they were sent after the login they were nearest to. Logins are further apart than the time
// that is looked at, so that each read goes with one of them.
func (b *bench) keepAround(storage harness.Storage, seen sample, logins []time.Time) {
	steps := b.around[storage]
	if steps == nil {
		steps = make([][]time.Duration, (results.AroundTo-results.AroundFrom)/results.AroundStep)
		b.around[storage] = steps
	}
	for n, sent := range seen.sent {
		for _, login := range logins {
			if since := sent.Sub(login); since >= results.AroundFrom && since < results.AroundTo {
				step := (since - results.AroundFrom) / results.AroundStep
				steps[step] = append(steps[step], seen.latencies[n])
			}
		}
	}
}

// rotations are what readers saw around logins, all rounds together: a step of one round has too few reads for a p99.
func (b *bench) rotations() []results.Rotation {
	var rotations []results.Rotation
	for _, storage := range slices.Sorted(maps.Keys(b.around)) {
		r := results.Rotation{Storage: string(storage)}
		for _, latencies := range b.around[storage] {
			r.Steps = append(r.Steps, results.LoadOf(latencies, results.AroundStep))
		}
		rotations = append(rotations, r)
	}
	return rotations
}

type clock struct {
	mu   sync.Mutex
	seen []time.Time
}

func (c *clock) note() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, time.Now())
}

func (c *clock) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}
