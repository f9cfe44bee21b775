// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
)

// plotClients is the load that the plots of latency show.
const plotClients = 16

// plotsOf are all plots, by the names of their files.
func plotsOf(r *results.Results, p *results.InProcess) map[string]string {
	plots := map[string]string{}
	for _, storage := range r.Storages() {
		plots["throughput-"+storage+".svg"] = throughput(r, storage).svg()
		plots["latency-"+storage+".svg"] = latency(r, storage).svg()
		plots["processor-"+storage+".svg"] = processor(r, storage).svg()
	}
	for _, rotation := range r.Rotations {
		plots["rotation-"+rotation.Storage+".svg"] = aroundLogins(r, rotation).svg()
	}
	plots["accounts.svg"] = growth(p, "Accounts/", "Time of a warm read by accounts in use, in process", "accounts").svg()
	plots["readers.svg"] = growth(p, "Readers/", "Time a warm read by readers at once, in process", "readers").svg()
	return plots
}

func throughput(r *results.Results, storage string) bars {
	b := bars{title: fmt.Sprintf("Reads a second, %s storage (more is better)", storage), unit: "%.0f"}
	for _, clients := range r.Clients() {
		b.series = append(b.series, plural(clients, "client"))
	}
	for _, row := range results.Rows() {
		g := group{name: row}
		for _, clients := range r.Clients() {
			c, _ := r.Median(storage, clients, row)
			g.values = append(g.values, c.Rate)
		}
		b.groups = append(b.groups, g)
	}
	return b
}

func latency(r *results.Results, storage string) bars {
	return bars{
		title:  fmt.Sprintf("Latency at %d clients in milliseconds, %s storage (less is better)", plotClients, storage),
		series: []string{"p50", "p99"}, unit: "%.1f",
		groups: groups(r, storage, func(c results.Cell) []float64 { return []float64{milliseconds(c.P50), milliseconds(c.P99)} }),
	}
}

func processor(r *results.Results, storage string) bars {
	microseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return bars{
		title:  fmt.Sprintf("Processor time of a read in µs at %d clients, %s storage (less is better)", plotClients, storage),
		series: []string{"Vault", "plugin"}, unit: "%.0f",
		groups: groups(r, storage, func(c results.Cell) []float64 {
			return []float64{microseconds(c.VaultCPU), microseconds(c.PluginCPU)}
		}),
	}
}

// groups are the values of each row at plotClients.
func groups(r *results.Results, storage string, values func(results.Cell) []float64) []group {
	var all []group
	for _, row := range results.Rows() {
		c, _ := r.Median(storage, plotClients, row)
		all = append(all, group{row, values(c)})
	}
	return all
}

// aroundLogins is what readers see of a rotation: their latencies by when they sent the read, beside those of calm windows.
func aroundLogins(r *results.Results, rotation results.Rotation) course {
	calm, _ := r.Median(rotation.Storage, plotClients, results.RowOursCalm)
	median := curve{name: "p50, dashed: no rotations", usual: milliseconds(calm.P50)}
	tail := curve{name: "p99, dashed: no rotations", usual: milliseconds(calm.P99)}
	for _, step := range rotation.Steps {
		median.values = append(median.values, milliseconds(step.P50))
		tail.values = append(tail.values, milliseconds(step.P99))
	}
	return course{
		title: fmt.Sprintf("Latency in milliseconds by when a read was sent, %s storage", rotation.Storage),
		unit:  "s", from: results.AroundFrom.Seconds(), step: results.AroundStep.Seconds(),
		event: "login", until: results.LoginTakes.Seconds(), curves: []curve{median, tail},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// growth is the time of the benchmarks whose names are the prefix and a number.
func growth(p *results.InProcess, prefix, title, unit string) line {
	l := line{title: title + " (µs)", unit: unit}
	for _, name := range p.Names {
		text, ok := strings.CutPrefix(name, prefix)
		n, err := strconv.Atoi(text)
		if ns, known := p.Figure(name, "ns/op"); ok && known && err == nil {
			l.points = append(l.points, point{float64(n), ns / 1000})
		}
	}
	return l
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
