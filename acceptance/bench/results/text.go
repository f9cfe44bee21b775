// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package results

import (
	"fmt"
	"strings"
	"time"
)

// Text is what the command prints at its end: the tables of each storage, and the targets that follow from them.
func (r *Results) Text() string {
	var text strings.Builder
	for _, storage := range r.Storages() {
		fmt.Fprintf(&text, "\n%s storage, medians of %d rounds\n\n%s", storage, r.Rounds, r.Table(storage))
	}
	fmt.Fprintf(&text, "\ntargets\n\n%s", TargetTable(Targets(r, nil)))
	return text.String()
}

// Table is the Markdown table of one storage.
func (r *Results) Table(storage string) string {
	t := table{head: []string{
		"clients", "read", "requests/s", "p50", "p99", "Vault's CPU", "plugin's", "storage gets", "puts", "logins", "plugin's memory",
	}}
	for _, clients := range r.Clients() {
		for _, row := range Rows() {
			c, ok := r.Median(storage, clients, row)
			if !ok {
				continue
			}
			t.add(fmt.Sprint(clients), row, fmt.Sprintf("%.0f", c.Rate), milliseconds(c.P50), milliseconds(c.P99),
				processor(c.VaultCPU), processor(c.PluginCPU),
				fmt.Sprintf("%.1f", c.Gets), fmt.Sprintf("%.1f", c.Puts), fmt.Sprint(c.Logins), mebibytes(c.Memory))
		}
	}
	return t.String()
}

// RowTable is the Markdown table that says what the rows are.
func RowTable() string {
	t := table{head: []string{"read", "what it is"}}
	for _, row := range Rows() {
		t.add(row, Meaning(row))
	}
	return t.String()
}

// TargetTable is the Markdown table of the targets.
func TargetTable(targets []Target) string {
	t := table{head: []string{"what", "target", "measured", ""}}
	for _, target := range targets {
		got := "–"
		if target.Known {
			got = target.Got.String()
		}
		t.add(target.Name, target.Bound(), got, target.Verdict())
	}
	return t.String()
}

// ScaleTable is the Markdown table of the part with many accounts.
func (r *Results) ScaleTable() string {
	s := r.Scale
	if s == nil {
		return ""
	}
	t := table{head: []string{fmt.Sprintf("%d accounts stored, %d in use", s.Accounts, s.Used), ""}}
	t.add("memory of the plugin, none in use", mebibytes(s.MemoryStored))
	t.add(fmt.Sprintf("memory of the plugin, %d in use, right after their logins", s.Used), mebibytes(s.MemoryUsed))
	t.add(fmt.Sprintf("memory of the plugin, %d in use, after a reload", s.Used), mebibytes(s.MemoryReloaded))
	t.add(fmt.Sprintf("%d first reads, by 16 clients, each with a login of 100 ms", s.Used),
		s.FirstReads.Round(10*time.Millisecond).String())
	t.add("a reload of the plugin, to the first read",
		fmt.Sprintf("%s, %d logins", s.Reload.Round(time.Millisecond), s.LoginsAfterReload))
	t.add("16 clients while no rotation is due", s.Before.text())
	t.add(fmt.Sprintf("16 clients while %d rotations fall due within %s", s.WaveLogins, s.WaveTook), s.Wave.text())
	return t.String()
}

func (l Load) text() string {
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s, slowest %s", l.Rate, milliseconds(l.P50), milliseconds(l.P99), milliseconds(l.Max))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func processor(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}

func mebibytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// table is a Markdown table that can also be read as it is.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for n, cell := range row {
			widths[n] = max(widths[n], len([]rune(cell)))
		}
	}
	var text strings.Builder
	line := func(cells []string, fill string) {
		for n, cell := range cells {
			text.WriteString("| " + cell + strings.Repeat(fill, widths[n]-len([]rune(cell))) + " ")
		}
		text.WriteString("|\n")
	}
	line(t.head, " ")
	line(make([]string, len(t.head)), "-")
	for _, row := range t.rows {
		line(row, " ")
	}
	return text.String()
}
