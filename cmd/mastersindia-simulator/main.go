// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-simulator serves the login endpoints of Masters India and of Fiserv FirstVision as they are
// documented, on this machine only, for tests and for people who have no account yet. Run it with -help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Set by the linker: see the Makefile.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

// Exit codes.
const (
	exitOK     = 0 // ended by a signal, or after -help or -version
	exitFailed = 1 // could not start, or could not go on
	exitUsage  = 2 // the options make no sense
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one kills, should the orderly end hang.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "Error: %s\nRun mastersindia-simulator -help for the options.\n", err)
		return exitUsage
	}
	if o.version {
		fmt.Fprintf(stdout, "mastersindia-simulator %s (%s)\n", version, commit)
		return exitOK
	}
	if err := serve(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "Error: %s\n", err)
		return exitFailed
	}
	return exitOK
}
