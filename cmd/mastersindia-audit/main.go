// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-audit makes Vault's audit log readable for those who look after a mount of this engine: who was given
// which token, what was denied, what was changed, and who had a token that got out. Run it with -help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// Set by the linker: see the Makefile.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

// Exit codes.
const (
	exitOK     = 0 // the report is written, or after -help or -version
	exitFailed = 1 // no report
	exitUsage  = 2 // the options make no sense
)

// softMemory is where the garbage collector begins to work harder: it keeps the whole process below 100 MB.
const softMemory = 72 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one kills, should the orderly end hang.
	context.AfterFunc(ctx, stop)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "Error: %s\nRun mastersindia-audit -help for the options.\n", err)
		return exitUsage
	}
	if o.version {
		fmt.Fprintf(stdout, "mastersindia-audit %s (%s)\n", version, commit)
		return exitOK
	}
	if err := report(ctx, o, stdin, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "Error: %s\n", err)
		return exitFailed
	}
	return exitOK
}
