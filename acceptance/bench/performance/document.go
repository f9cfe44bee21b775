// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
)

// partsOf are the parts of the document that are written by this command, by the names of their markers.
func partsOf(r *results.Results, p *results.InProcess) map[string]string {
	return map[string]string{
		"machine": machineText(r),
		"rows":    results.RowTable(),
		"targets": results.TargetTable(withoutMemory(results.Targets(r, p))),
		"scale":   r.ScaleTable(),
	}
}

// withoutMemory leaves out the targets on in-memory storage, which no production server has: bench-vault prints them.
func withoutMemory(targets []results.Target) []results.Target {
	return slices.DeleteFunc(targets, func(t results.Target) bool { return strings.HasPrefix(t.Name, "inmem: ") })
}

func machineText(r *results.Results) string {
	m := r.Machine
	return fmt.Sprintf("Measured on %s: %s, %s,\n%d cores (%s, %s), %s,\nload average %s before the run; "+
		"%d rounds of %s a row, %s in all.\n",
		r.At.Format("2 January 2006"), m.Plugin, m.Vault, m.Cores, m.CPU, m.System, m.Go, m.LoadAvg,
		r.Rounds, r.Duration, r.Took.Round(time.Second))
}

// fill puts each part between its markers. A part without markers, or markers without a part, is an error: half a document
// would tell of two runs.
func fill(file string, parts map[string]string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := string(data)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
		before, rest, found := strings.Cut(text, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			return fmt.Errorf("%s has no markers for %q", file, name)
		}
		text = before + begin + "\n" + parts[name] + "\n" + end + after
	}
	if got := strings.Count(text, "<!-- begin "); got != len(parts) {
		return fmt.Errorf("%s has markers for %d parts, and there are %d", file, got, len(parts))
	}
	return os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // the caller says which file
}
