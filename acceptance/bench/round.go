// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// rotatingClients is the load under which the account that rotates is measured.
const rotatingClients = 16

// round measures every row under every load on a server of its own: so leases do not pile up from round to round, and what one
// process got by chance (the layout of its memory, the place of its files) is the same in one round only.
func (b *bench) round(ctx context.Context, round int, storage harness.Storage) (err error) {
	s, err := b.open(ctx, storage, steady(), rotating())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.furnish(ctx, b.probe); err != nil {
		return err
	}
	for _, clients := range turned(b.clients, round) {
		for _, row := range turned(results.Rows(), round) {
			if row == results.RowOursRotating && clients != rotatingClients {
				continue
			}
			cell, err := b.cell(ctx, s, row, clients)
			if err != nil {
				return err
			}
			cell.Round, cell.Storage = round, string(storage)
			b.results.Cells = append(b.results.Cells, cell)
			b.say("round %d of %d  %-5s  %2d clients  %-14s  %6.0f/s  p50 %-8s p99 %-8s", round+1, b.rounds, storage, clients, row,
				cell.Rate, cell.P50.Round(10*time.Microsecond), cell.P99.Round(10*time.Microsecond))
		}
	}
	return nil
}

// cell measures one row under one load.
func (b *bench) cell(ctx context.Context, s *stage, row string, clients int) (results.Cell, error) {
	cell := results.Cell{Row: row, Clients: clients}
	d := b.duration
	if row == results.RowOursRotating {
		d = max(d, rotatingLife*rotatingPercent/100+time.Second) // long enough for a rotation
	}
	logins := s.simulator.Counters().Logins
	gets, puts, err := s.accesses(ctx)
	if err != nil {
		return cell, err
	}
	var all int
	cell.Load, all, err = load(ctx, s.address, s.tokens[:clients], d, func(int, int) string { return pathOf(row) })
	if err != nil {
		return cell, err
	}
	getsAfter, putsAfter, err := s.accesses(ctx)
	if err != nil {
		return cell, err
	}
	cell.Gets, cell.Puts = (getsAfter-gets)/float64(all), (putsAfter-puts)/float64(all)
	cell.Logins = s.simulator.Counters().Logins - logins
	switch {
	case strings.HasPrefix(pathOf(row), harness.PluginName+"/"):
		cell.Memory = s.memory(filepath.Base(b.binaries.Plugin))
	case strings.HasPrefix(pathOf(row), probeMount+"/"):
		cell.Memory = s.memory(filepath.Base(b.probe))
	}
	return cell, nil
}
