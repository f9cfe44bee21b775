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
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/command"
)

const about = `Measures what a read costs through a real Vault: of this engine, of the least
  that a plugin can do, of the usual way to write such an engine, and of Vault's
  own KV. Build it and the probe with: make bench-vault`

func main() {
	flags := flag.NewFlagSet("bench-vault", flag.ContinueOnError)
	given := define(flags)
	if code, done := harness.Arguments(flags, about, os.Args[1:], os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	o, err := given.options(flags)
	if err != nil {
		os.Exit(command.Misused(flags.Name(), err, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // nothing is deferred that matters by now
	}
}

type options struct {
	rounds   int
	duration time.Duration // of a cell
	// windows is how often the rows with and without rotations are measured in a round.
	windows  int
	clients  []int
	storages []harness.Storage
	scale    scaleOptions
	probe    string
	out      string
}

// scaleOptions say how many accounts there are in the part with many.
type scaleOptions struct {
	accounts, used int
	// life is that of a token. Rotations are due from a quarter of it on, and for as long again.
	life time.Duration
}

// given are the flags as they were typed.
type given struct {
	o                 options
	clients, storages string
	quick             bool
}

func define(flags *flag.FlagSet) *given {
	g := &given{}
	o := &g.o
	flags.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	flags.DurationVar(&o.duration, "duration", 1600*time.Millisecond, "how long each row is measured under each load in a round")
	flags.IntVar(&o.windows, "windows", 2, "how often reads beside rotations, and without, are measured in a round, 7s each; 0: not")
	flags.StringVar(&g.clients, "clients", "1,16,64", "how many clients read at once")
	flags.StringVar(&g.storages, "storage", "inmem,raft", "what Vault keeps its data in")
	flags.IntVar(&o.scale.accounts, "accounts", 10_000, "accounts stored in the part with many; 0 leaves it out")
	flags.IntVar(&o.scale.used, "used", 1000, "accounts in use in that part")
	flags.DurationVar(&o.scale.life, "life", 4*time.Minute, "life of a token in that part; rotations fall due in its second quarter")
	flags.StringVar(&o.probe, "probe", "bin/bench-probe", "the probe plugin")
	flags.StringVar(&o.out, "o", "bin/bench-vault.json", "where the results go")
	flags.BoolVar(&g.quick, "quick", false, "take three minutes: enough to see that it works, and for coarse ratios")
	return g
}

func (g *given) options(flags *flag.FlagSet) (options, error) {
	o := g.o
	if g.quick {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		o.shorten(given, &g.clients)
	}
	for text := range strings.SplitSeq(g.clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-clients: %q is no number of clients", text)
		}
		o.clients = append(o.clients, n)
	}
	for text := range strings.SplitSeq(g.storages, ",") {
		storage := harness.Storage(text)
		if !slices.Contains([]harness.Storage{harness.StorageInmem, harness.StorageRaft}, storage) {
			return o, fmt.Errorf("-storage: %q is neither inmem nor raft", text)
		}
		o.storages = append(o.storages, storage)
	}
	if o.windows < 0 {
		return o, fmt.Errorf("-windows: %d is no number of windows; 0 leaves them out", o.windows)
	}
	if o.rounds < 1 || o.duration < 100*time.Millisecond || o.scale.used < 1 || o.scale.life < 20*time.Second {
		return o, errors.New("take at least one round, 100ms a row, one account in use, and tokens that live for 20s")
	}
	o.scale.used = min(o.scale.used, o.scale.accounts)
	return o, nil
}

// shorten makes a quick run of what was not given.
func (o *options) shorten(given map[string]bool, clients *string) {
	set := func(name string, change func()) {
		if !given[name] {
			change()
		}
	}
	set("rounds", func() { o.rounds = 2 })
	set("duration", func() { o.duration = 400 * time.Millisecond })
	set("windows", func() { o.windows = 1 })
	set("clients", func() { *clients = "1,16" })
	set("accounts", func() { o.scale.accounts = 500 })
	set("used", func() { o.scale.used = 100 })
	set("life", func() { o.scale.life = 40 * time.Second })
}

// measure does all of it, and writes what it has even where a part fails.
func measure(ctx context.Context, o options) (err error) {
	b := &bench{options: o, around: map[harness.Storage][][]time.Duration{}, results: &results.Results{
		At: time.Now().UTC().Truncate(time.Second), Rounds: o.rounds, Duration: o.duration,
	}}
	if b.binaries, err = harness.FindBinaries(ctx, os.Stderr); err != nil {
		return err
	}
	if b.results.Machine, err = machine(ctx, b.binaries); err != nil {
		return err
	}
	b.say("%d rounds, %s a row, clients %v, storages %v", o.rounds, o.duration, o.clients, o.storages)
	for round := range o.rounds {
		for _, storage := range turned(o.storages, round) {
			if err := b.round(ctx, round, storage); err != nil {
				return fmt.Errorf("round %d on %s: %w", round+1, storage, err)
			}
		}
	}
	if o.scale.accounts > 0 {
		if err := b.scale(ctx); err != nil {
			return fmt.Errorf("the part with many accounts: %w", err)
		}
	}
	b.results.Rotations = b.rotations()
	b.results.Took = time.Since(b.results.At).Truncate(time.Second)
	if err := b.results.Write(o.out); err != nil {
		return err
	}
	fmt.Print(b.results.Text())
	b.say("kept in %s", o.out)
	return nil
}

type bench struct {
	options

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
