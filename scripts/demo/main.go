// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command demo shows the secrets engine at work: it starts a Vault server and a simulator of the vendors' endpoints, both on
// free loopback ports, and plays through what an operator and an application do. With -stay it sets all up and leaves it
// running, to play with. Nothing leaves the machine, and nothing is left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

const about = `Shows the secrets engine at work, in a Vault and with an upstream of its own on
  free ports of this machine. Nothing leaves the machine, and nothing is left.
  VAULT_BIN names the vault to use. NO_COLOR turns colours off.`

func main() {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	stay := flags.Bool("stay", false, "set up, print how to use it, and stay until Ctrl-C")
	if code, done := harness.Arguments(flags, about, os.Args[1:], os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, newScreen(os.Stdout), *stay))
}

// run returns the exit code, so that what is deferred here is done before the process ends.
func run(ctx context.Context, out *screen, stay bool) int {
	err := show(ctx, out, stay)
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "\nstopped; Vault, the simulator and all their files are gone")
		if stay && (err == nil || errors.Is(err, context.Canceled)) {
			return 0
		}
		return 130
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo failed: %v\n", err)
		return 1
	}
	return 0
}

func show(ctx context.Context, out *screen, stay bool) (err error) {
	s, err := openEnvironment(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := &play{environment: s, out: out}
	if stay {
		return p.stay(ctx)
	}
	return p.demo(ctx)
}
