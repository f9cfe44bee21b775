// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package results holds what was measured, and what follows from it: medians, ratios, and whether the targets are met.
package results

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// The rows: what is read through Vault.
const (
	RowKV           = "kv"
	RowProbe        = "probe"
	RowProbeLeased  = "probe, leased"
	RowOurs         = "ours"
	RowOursLeased   = "ours, leased"
	RowOursCalm     = "ours, calm"
	RowOursRotating = "ours, rotating"
	RowUsual        = "usual"
	RowLocked       = "usual, locked"
)

// Rows are all rows, in the order of the tables.
func Rows() []string {
	return []string{RowKV, RowProbe, RowOurs, RowOursCalm, RowOursRotating, RowUsual, RowLocked, RowProbeLeased, RowOursLeased}
}

// Meaning says what is read in a row.
func Meaning(row string) string {
	switch row {
	case RowKV:
		return "Vault's own KV version 1, in Vault's process"
	case RowProbe:
		return "a plugin that returns the same data from memory: the floor of every plugin"
	case RowOurs:
		return "this engine, role with `lease=false`"
	case RowOursCalm:
		return "the same, beside the next row"
	case RowOursRotating:
		return "the same, while the token is rotated every three seconds, by a login of 100 ms"
	case RowUsual:
		return "a plugin that reads role, config and token from storage"
	case RowLocked:
		return "the same, under an exclusive lock"
	case RowProbeLeased:
		return "the floor, with a lease"
	case RowOursLeased:
		return "this engine, with a lease"
	default:
		return row
	}
}

// Results are all of one run.
type Results struct {
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"`
	Machine  Machine       `json:"machine"`
	Rounds   int           `json:"rounds"`
	Duration time.Duration `json:"duration"`
	Cells    []Cell        `json:"cells"`
	// Rotations are sorted by storage.
	Rotations []Rotation `json:"rotations,omitempty"`
	Scale     *Scale     `json:"scale,omitempty"`
}

// Machine is what was measured on.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	System  string `json:"system"`
	Go      string `json:"go"`
	Vault   string `json:"vault"`
	Plugin  string `json:"plugin"`
	LoadAvg string `json:"load_average"` // before the run
}

// Cell is one row under one load in one round.
type Cell struct {
	Round   int    `json:"round"`
	Storage string `json:"storage"`
	Clients int    `json:"clients"`
	Row     string `json:"row"`

	Load

	// Logins are those that reached the upstream.
	Logins int `json:"logins"`
	// Gets and Puts are Vault's accesses to its storage for each request, its own (such as for the caller's token) included.
	Gets float64 `json:"gets"`
	Puts float64 `json:"puts"`
	// VaultCPU and PluginCPU are the processor time that Vault and the plugin used for each request; 0 where it is not known.
	VaultCPU  time.Duration `json:"vault_cpu,omitempty"`
	PluginCPU time.Duration `json:"plugin_cpu,omitempty"`
	// Memory is the resident memory of the plugin's process afterwards, in bytes; 0 where it is not known.
	Memory int64 `json:"memory,omitempty"`
}

// Load is what clients saw who each sent the next request when the last one was answered.
type Load struct {
	Requests int           `json:"requests"`
	Rate     float64       `json:"rate"` // requests a second
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Max      time.Duration `json:"max"`
}

// LoginTakes is how long the upstream takes over a login.
const LoginTakes = 100 * time.Millisecond

// The time around a login that is looked at, and its steps.
const (
	AroundFrom = -500 * time.Millisecond
	AroundTo   = 2500 * time.Millisecond
	AroundStep = 100 * time.Millisecond
)

// Rotation is what readers saw around the logins that rotated their token.
type Rotation struct {
	Storage string `json:"storage"`
	// Steps are the reads by when they were sent: the first step begins at AroundFrom after a login did.
	Steps []Load `json:"steps"`
}

// Scale is a mount with many accounts.
type Scale struct {
	Accounts int `json:"accounts"` // stored
	Used     int `json:"used"`     // of those

	// Memory of the plugin's process with all accounts stored, and none or some in use; in bytes.
	MemoryStored int64 `json:"memory_stored"`
	MemoryUsed   int64 `json:"memory_used"`
	// MemoryReloaded is that after a reload, with the tokens found in storage and no login made.
	MemoryReloaded int64 `json:"memory_reloaded"`
	// FirstReads is how long it took to log in for all accounts in use.
	FirstReads time.Duration `json:"first_reads"`
	// Reload is the time from the order to reload the plugin until it answered a read, LoginsAfterReload what that cost upstream.
	Reload            time.Duration `json:"reload"`
	LoginsAfterReload int           `json:"logins_after_reload"`
	// Before and Wave are the same load on all accounts in use, while no rotation was due and while each of them had one.
	Before Load `json:"before"`
	Wave   Load `json:"wave"`
	// WaveTook is for how long rotations were due, WaveLogins how many were made.
	WaveTook   time.Duration `json:"wave_took"`
	WaveLogins int           `json:"wave_logins"`
}

// Read reads results from a file.
func Read(file string) (*Results, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return r, nil
}

// Write writes the results to a file.
func (r *Results) Write(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// Storages are the storages that were measured.
func (r *Results) Storages() []string {
	return distinct(r.Cells, func(c Cell) string { return c.Storage })
}

// Clients are the numbers of clients that were measured.
func (r *Results) Clients() []int { return distinct(r.Cells, func(c Cell) int { return c.Clients }) }

func distinct[T int | string](cells []Cell, key func(Cell) T) []T {
	var keys []T
	for _, c := range cells {
		keys = append(keys, key(c))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// of are the cells of one row under one load, by round.
func (r *Results) of(storage string, clients int, row string) map[int]Cell {
	cells := map[int]Cell{}
	for _, c := range r.Cells {
		if c.Storage == storage && c.Clients == clients && c.Row == row {
			cells[c.Round] = c
		}
	}
	return cells
}

// Median is a cell whose every figure is the median over the rounds; ok is false where nothing was measured.
func (r *Results) Median(storage string, clients int, row string) (c Cell, ok bool) {
	cells := r.of(storage, clients, row)
	if len(cells) == 0 {
		return Cell{}, false
	}
	value := func(of func(Cell) float64) float64 {
		var values []float64
		for _, cell := range cells {
			values = append(values, of(cell))
		}
		return median(values)
	}
	c = Cell{Storage: storage, Clients: clients, Row: row}
	c.Requests = int(value(func(c Cell) float64 { return float64(c.Requests) }))
	c.Rate = value(func(c Cell) float64 { return c.Rate })
	c.P50 = time.Duration(value(func(c Cell) float64 { return float64(c.P50) }))
	c.P99 = time.Duration(value(func(c Cell) float64 { return float64(c.P99) }))
	c.Max = time.Duration(value(func(c Cell) float64 { return float64(c.Max) }))
	c.Gets = value(func(c Cell) float64 { return c.Gets })
	c.Puts = value(func(c Cell) float64 { return c.Puts })
	c.VaultCPU = time.Duration(value(func(c Cell) float64 { return float64(c.VaultCPU) }))
	c.PluginCPU = time.Duration(value(func(c Cell) float64 { return float64(c.PluginCPU) }))
	c.Memory = int64(value(func(c Cell) float64 { return float64(c.Memory) }))
	for _, cell := range cells {
		c.Logins += cell.Logins // of all rounds
	}
	return c, true
}

// Ratio is the median of a figure of one row divided by that of another, round by round: what the machine does at one time
// touches both alike.
func (r *Results) Ratio(storage string, clients int, row, base string, figure func(Cell) float64) (Spread, bool) {
	bases := r.of(storage, clients, base)
	var ratios []float64
	for round, c := range r.of(storage, clients, row) {
		if b, ok := bases[round]; ok && figure(b) > 0 {
			ratios = append(ratios, figure(c)/figure(b))
		}
	}
	return spreadOf(ratios)
}

// Spread is a median, and the least and the most of the rounds.
type Spread struct{ Median, Least, Most float64 }

func spreadOf(values []float64) (s Spread, ok bool) {
	if len(values) == 0 {
		return Spread{}, false
	}
	return Spread{median(values), slices.Min(values), slices.Max(values)}, true
}

func (s Spread) String() string {
	if s.Least == s.Most {
		return fmt.Sprintf("%.2f", s.Median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Least, s.Most)
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// LoadOf is what clients saw whose requests took the given times, and who needed so long for all of them.
func LoadOf(latencies []time.Duration, took time.Duration) Load {
	slices.Sort(latencies)
	n := len(latencies)
	if n == 0 {
		return Load{}
	}
	return Load{
		Requests: n,
		Rate:     float64(n) / took.Seconds(),
		P50:      latencies[n/2],
		P99:      latencies[min(n*99/100, n-1)],
		Max:      latencies[n-1],
	}
}
