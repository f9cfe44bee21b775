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
	b := bars{
		title:  fmt.Sprintf("Latency at %d clients in milliseconds, %s storage (less is better)", plotClients, storage),
		series: []string{"p50", "p99"}, unit: "%.1f",
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	for _, row := range results.Rows() {
		c, _ := r.Median(storage, plotClients, row)
		b.groups = append(b.groups, group{row, []float64{ms(c.P50), ms(c.P99)}})
	}
	return b
}

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
