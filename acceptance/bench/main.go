// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command bench measures what a read costs through a real Vault: of this engine, of the least that a plugin can do, of the
// usual way to write such an engine, and of Vault's own KV. All are measured in one run, in rounds with servers of their own
// and in an order that changes, since what a machine can do changes from minute to minute: the ratios mean something, and the
// figures by themselves only something about the machine.
//
// Vault, the plugins and the upstream run on this machine, listen on the loopback interface only, and are gone afterwards.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

const about = `Measures what a read costs through a real Vault: of this engine, of the least
  that a plugin can do, of the usual way to write such an engine, and of Vault's
  own KV. Build it and the probe with: make bench-vault`

func main() {
	flags := flag.NewFlagSet("bench-vault", flag.ContinueOnError)
	short := flags.Bool("quick", false, "take three minutes: enough to see that it works, and for coarse ratios")
	probe := flags.String("probe", "bin/bench-probe", "the probe plugin")
	out := flags.String("o", "bin/bench-vault.json", "where the results go")
	if code, done := harness.Arguments(flags, about, os.Args[1:], os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	o := options{5, 1600 * time.Millisecond, 2, []int{1, 16, 64}, scaleOptions{10_000, 1000, 4 * time.Minute}}
	if *short {
		o = options{2, 400 * time.Millisecond, 1, []int{1, 16}, scaleOptions{500, 100, 40 * time.Second}}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, *probe, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // nothing is deferred that matters by now
	}
}

type options struct {
	rounds   int
	duration time.Duration // of a cell
	// windows is how often the rows with and without rotations are measured in a round.
	windows int
	clients []int
	scale   scaleOptions
}

// scaleOptions say how many accounts there are in the part with many.
type scaleOptions struct {
	accounts, used int
	// life is that of a token. Rotations are due from a quarter of it on, and for as long again.
	life time.Duration
}

// measure does all of it, and writes what it has even where a part fails.
func measure(ctx context.Context, o options, probe, out string) (err error) {
	b := &bench{options: o, probe: probe, around: map[harness.Storage][][]time.Duration{}, results: &results.Results{
		At: time.Now().UTC().Truncate(time.Second), Rounds: o.rounds, Duration: o.duration,
	}}
	if b.binaries, err = harness.FindBinaries(ctx, os.Stderr); err != nil {
		return err
	}
	if b.results.Machine, err = machine(ctx, b.binaries); err != nil {
		return err
	}
	b.say("%d rounds, %s a row, clients %v", o.rounds, o.duration, o.clients)
	for round := range o.rounds {
		for _, storage := range turned([]harness.Storage{harness.StorageInmem, harness.StorageRaft}, round) {
			if err := b.round(ctx, round, storage); err != nil {
				return fmt.Errorf("round %d on %s: %w", round+1, storage, err)
			}
		}
	}
	if err := b.scale(ctx); err != nil {
		return fmt.Errorf("the part with many accounts: %w", err)
	}
	b.results.Rotations = b.rotations()
	b.results.Took = time.Since(b.results.At).Truncate(time.Second)
	if err := b.results.Write(out); err != nil {
		return err
	}
	fmt.Print(b.results.Text())
	b.say("kept in %s", out)
	return nil
}

type bench struct {
	options

	probe    string // its file
	binaries harness.Binaries
	results  *results.Results
	// around are the latencies of reads around logins, in the steps of results.Rotation.
	around map[harness.Storage][][]time.Duration
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// turned is the list in the order of a round: backwards every other time, and from another place on after that.
func turned[T any](list []T, round int) []T {
	at := round / 2 % len(list)
	order := slices.Concat(list[at:], list[:at])
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}
