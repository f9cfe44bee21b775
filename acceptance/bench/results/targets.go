// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package results

import "fmt"

// The clients at which the targets are set.
const targetClients = 16

// Target is something that must hold, and what was measured.
type Target struct {
	Name string
	// Want is the bound; AtMost says on which side of it one has to be.
	Want   float64
	AtMost bool
	Got    Spread
	// Known is false where it was not measured.
	Known bool
}

// Met reports whether the median of the rounds reaches the target.
func (t Target) Met() bool { return t.Known && t.reached(t.Got.Median) }

func (t Target) reached(ratio float64) bool {
	if t.AtMost {
		return ratio <= t.Want
	}
	return ratio >= t.Want
}

// Bound is the target as text.
func (t Target) Bound() string {
	if t.AtMost {
		return fmt.Sprintf("≤ %g", t.Want)
	}
	return fmt.Sprintf("≥ %g", t.Want)
}

// Verdict says what became of it.
func (t Target) Verdict() string {
	switch {
	case !t.Known:
		return "not measured"
	case t.Met():
		return "met"
	case t.reached(t.Got.Least) || t.reached(t.Got.Most):
		return "missed in the median, met in some rounds"
	default:
		return "missed"
	}
}

// Targets are all of them. Either argument may be nil.
func Targets(r *Results, p *InProcess) []Target {
	var targets []Target
	if r != nil {
		for _, storage := range r.Storages() {
			targets = append(targets, r.targets(storage)...)
		}
		// Who reads an account while it is being rotated waits for that. With few accounts that is no longer one read in a hundred.
		const enough = 500
		if r.Scale != nil && r.Scale.Used >= enough && r.Scale.WaveLogins > 0 && r.Scale.Before.P99 > 0 {
			ratio := float64(r.Scale.Wave.P99) / float64(r.Scale.Before.P99)
			targets = append(targets, Target{
				Name: fmt.Sprintf("p99 in a wave of %d rotations / p99 before it", r.Scale.WaveLogins),
				Want: 1.2, AtMost: true, Got: Spread{ratio, ratio, ratio}, Known: true,
			})
		}
	}
	if p != nil {
		targets = append(targets, p.targets()...)
	}
	return targets
}

func (r *Results) targets(storage string) []Target {
	rate := func(c Cell) float64 { return c.Rate }
	p99 := func(c Cell) float64 { return float64(c.P99) }
	target := func(figure string, row, base string, want float64, atMost bool, of func(Cell) float64) Target {
		got, known := r.Ratio(storage, targetClients, row, base, of)
		return Target{fmt.Sprintf("%s: %s of %q / %q", storage, figure, row, base), want, atMost, got, known}
	}
	// Vault itself is at work meanwhile, and its accesses are counted as well.
	const others = 0.1
	ours, _ := r.Median(storage, targetClients, RowOurs)
	probe, known := r.Median(storage, targetClients, RowProbe)
	more := max(ours.Gets+ours.Puts-probe.Gets-probe.Puts, 0)
	return []Target{
		{
			fmt.Sprintf("%s: accesses to storage of %q beyond those of %q", storage, RowOurs, RowProbe),
			others, true, Spread{more, more, more}, known,
		},
		target("requests/s", RowOurs, RowProbe, 1, false, rate),
		target("p99", RowOurs, RowProbe, 1, true, p99),
		target("requests/s", RowOursLeased, RowProbeLeased, 0.95, false, rate),
		target("requests/s", RowOurs, RowUsual, 1.5, false, rate),
		target("requests/s", RowOurs, RowLocked, 2.5, false, rate),
		target("p99", RowOursRotating, RowOursCalm, 1.2, true, p99),
	}
}

func (p *InProcess) targets() []Target {
	var targets []Target
	for _, mode := range []string{"leased", "unleased"} {
		warm, floor := "WarmRead/"+mode, "ConstantRead/"+mode+"/shared"
		for _, unit := range []string{"ns/op", "allocs/op"} {
			got, known := p.Ratio(warm, floor, unit)
			figure := map[string]string{"ns/op": "time", "allocs/op": "allocations"}[unit]
			targets = append(targets, Target{
				"in process: " + figure + " of a warm read, " + mode + " / a constant", 1.3, true, got, known,
			})
		}
		operations, known := p.Figure(warm, "storage-ops/op")
		targets = append(targets, Target{
			"in process: accesses to storage of a warm read, " + mode, 0, true, Spread{operations, operations, operations}, known,
		})
	}
	got, known := p.Ratio("Readers/64", "Readers/1", "ns/op")
	return append(targets, Target{"in process: time a read of 64 readers / of 1", 1, true, got, known})
}
