// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// turns is in how many parts each row is measured in a round, by turns with all others: a machine that is busy with something
// else for a second is so for all of them.
const turns = 4

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
		cells, err := b.measureRows(ctx, s, round, clients)
		if err != nil {
			return err
		}
		b.keep(round, storage, cells)
	}
	cells, err := b.measureRotation(ctx, s, round)
	if err != nil {
		return err
	}
	b.keep(round, storage, cells)
	return nil
}

// keep puts the cells of a round into the results, and shows them.
func (b *bench) keep(round int, storage harness.Storage, cells []results.Cell) {
	for _, cell := range cells {
		cell.Round, cell.Storage = round, string(storage)
		b.results.Cells = append(b.results.Cells, cell)
		b.say("round %d of %d  %-5s  %2d clients  %-14s  %6.0f/s  p50 %-8s p99 %-8s", round+1, b.rounds, storage, cell.Clients,
			cell.Row, cell.Rate, cell.P50.Round(10*time.Microsecond), cell.P99.Round(10*time.Microsecond))
	}
}

// measureRows measures all rows under one load, but for the pair of measureRotation.
func (b *bench) measureRows(ctx context.Context, s *stage, round, clients int) ([]results.Cell, error) {
	seen := map[string]*observation{}
	rows := slices.DeleteFunc(results.Rows(), func(row string) bool {
		return row == results.RowOursCalm || row == results.RowOursRotating
	})
	for _, row := range rows {
		seen[row] = &observation{}
	}
	for turn := range turns {
		for _, row := range turned(rows, round*turns+turn) {
			if err := b.observe(ctx, s, seen[row], row, clients, b.duration/turns); err != nil {
				return nil, err
			}
		}
	}
	var cells []results.Cell
	for _, row := range rows {
		cells = append(cells, b.cell(s, row, clients, seen[row]))
	}
	return cells, nil
}

func (b *bench) cell(s *stage, row string, clients int, o *observation) results.Cell {
	all := float64(o.all)
	return results.Cell{
		Row: row, Clients: clients, Load: o.load(), Logins: o.logins, Gets: o.gets / all, Puts: o.puts / all,
		VaultCPU: time.Duration(float64(o.vault) / all), PluginCPU: time.Duration(float64(o.plugin) / all),
		Memory: memoryOf(b.pluginOf(s, row)),
	}
}

// observation is all that is seen of a row.
type observation struct {
	sample

	logins     int
	gets, puts float64 // Vault's accesses to its storage
	// vault and plugin are the processor time of the two processes.
	vault, plugin time.Duration
}

// observe loads a row for a while, and adds to what was seen of it.
func (b *bench) observe(ctx context.Context, s *stage, o *observation, row string, clients int, d time.Duration) error {
	logins := s.simulator.Counters().Logins
	gets, puts, err := s.accesses(ctx)
	if err != nil {
		return err
	}
	pid := b.pluginOf(s, row)
	vault, plugin := processorTime(s.PID()), processorTime(pid)
	seen, err := load(ctx, s.address, s.tokens[:clients], d, func(int, int) string { return pathOf(row) })
	if err != nil {
		return err
	}
	o.vault += processorTime(s.PID()) - vault
	o.plugin += processorTime(pid) - plugin
	getsAfter, putsAfter, err := s.accesses(ctx)
	if err != nil {
		return err
	}
	o.add(seen)
	o.gets += getsAfter - gets
	o.puts += putsAfter - puts
	o.logins += s.simulator.Counters().Logins - logins
	return nil
}
