// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-audit reads Vault's audit log and reports what happened on a mount of the Masters India secrets engine:
// who was given which token, what was denied, what was changed, and who was given a token that leaked. Run it with -help.
//
// Lines go through files.go (open, split), scan.go and entry.go (pick, decode), classify.go and secrets.go (what a line tells,
// without any secret in it) into a database (store.go, schema.sql). After the last line resolve.sql merges what belongs together
// and finds who was given the leaked token (read by leaked_token.go). The parts of the report (report.go, page/) are queries on
// report.sql.
package main

import (
	"context"
	"errors"
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
	exitOK         = 0 // the report is written, and the log answers what was asked
	exitFailed     = 1 // there is no report
	exitUsage      = 2 // wrong options
	exitIncomplete = 3 // the report is written, and says what the log does not tell
)

var errIncomplete = errors.New("the log does not tell all: see the notes in the report")

// softMemory is where the garbage collector begins to work harder, in bytes: it keeps the whole process below 100 MB.
const softMemory = 40 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills, should the orderly end hang
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, time.Now())
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "Error: %s\nRun mastersindia-audit -help for the options.\n", err)
		return exitUsage
	case o.say != "":
		fmt.Fprint(stdout, o.say)
		return exitOK
	}
	switch err = audit(ctx, o, stdin, stdout, stderr); {
	case errors.Is(err, errIncomplete):
		fmt.Fprintf(stderr, "Incomplete: %s\n", err)
		return exitIncomplete
	case err != nil:
		fmt.Fprintf(stderr, "Error: %s\n", err)
		return exitFailed
	}
	return exitOK
}

// audit reads the logs, resolves what they tell and writes the report.
func audit(ctx context.Context, o options, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	if o.leaked, err = leakedToken(o, stdin); err != nil {
		return fmt.Errorf("reading the leaked token: %w", err)
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := scan(ctx, o, stdin, s); err != nil {
		return err
	}
	if err := s.resolve(ctx, o); err != nil {
		return err
	}
	return s.writeReport(ctx, o, stdout, stderr)
}
