// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// mostSeries is how many configs are counted one by one.
const mostSeries = 1000

func TestMetricsLimit_ThousandConfigsThenOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := jwtV1().mounted(t, "ledger_retention", 0)
		w.read("token/app")
		const many = mostSeries + 4 // and gst
		w.copyAccount(many, func(raw []byte, _ string) []byte { return raw })
		w.Reload()
		synctest.Wait()
		first := w.scrape()
		names := first.configs()
		check.Require(t, len(names) == mostSeries+1 && slices.Contains(names, "_other"),
			"%d configs have series, want %d and _other (there: %t)", len(names), mostSeries, slices.Contains(names, "_other"))
		check.Equal(t, len(first.of("token_expiry_timestamp_seconds")), mostSeries, "tokens have an expiry")
		others := sharing(names, many)
		check.Require(t, len(others) >= 4, "%v share a count, want at least four", others)
		w.quiet(func() {
			for k := range many {
				w.read(fmt.Sprintf("token/rc%05d", k))
			}
		})
		second := w.scrape()
		second.notBehind(t, first)
		second.wants(t, map[string]float64{`accounts{state="ready"}`: many + 1, `reads_total{config="_other",result="ok"}`: float64(len(others))})
		check.Equal(t, second.counted("reads_total")["ok"], float64(many), "reads are counted")
		w.roomAfterDelete(second, names[1], others[0])
	})
}

// sharing are those of the copied configs that have no series of their own.
func sharing(own []string, many int) []string {
	var others []string
	for k := range many {
		if name := fmt.Sprintf("c%05d", k); !slices.Contains(own, name) {
			others = append(others, name)
		}
	}
	return others
}

// roomAfterDelete deletes one of a thousand configs with series of their own, beside which some share one.
func (w *testMount) roomAfterDelete(before scraped, deleted, other string) {
	w.t.Helper()
	w.remove("config/" + deleted)
	w.Backend().InvalidateKey(w.t.Context(), "config/"+other) // it is loaded anew
	w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse})
	w.refused(logical.UpdateOperation, "rotate/"+other, nil)
	w.read("token/r" + other)
	now := w.scrape()
	names := now.configs()
	check.True(w.t, len(names) == mostSeries && !slices.Contains(names, other),
		"series of %v: %s, which was counted with others, must stay there", names, other)
	for sample, more := range map[string]float64{
		`reads_total{config="_other",result="ok"}`:        1,
		`logins_total{config="_other",result="rejected"}`: 1,
		`breaker_open{config="_other"}`:                   1,
	} {
		was, is := before.samples[sample], now.samples[sample]
		check.True(w.t, is == was+more, "%s went from %v to %v, want %v more", sample, was, is, more)
	}
	w.Simulator.SetFault("", simulator.Fault{})
	w.write("config/new", jwtConfig())
	check.True(w.t, slices.Contains(w.scrape().configs(), "new"), "a new config got none of the room that a deleted one has left")
}

func TestMetricsLimit_UnusedConfigsTakeNoSeries(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		const many = mostSeries + 100
		w.copyAccount(many, longAgo)
		w.Reload()
		synctest.Wait()
		w.list("status/")
		now := w.scrape()
		names := now.configs()
		check.True(t, slices.Equal(names, []string{"gst"}), "%d configs have series, want only the one in use", len(names))
		now.wants(t, map[string]float64{`accounts{state="idle"}`: many, `accounts{state="ready"}`: 1})
	})
}
