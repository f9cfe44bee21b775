// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-audit makes Vault's audit log readable for those who look after a mount of this engine: who was given
// which token, what was denied, what was changed, and who had a token that got out. Run it with -help.
package main

import (
	"context"
	"io"
	"os"
	"runtime/debug"
	"time"

	"vault-plugin-secrets-mastersindia/internal/command"
)

// Set by the linker: see the Makefile.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

// softMemory is where the garbage collector begins to work harder: it keeps the whole process below 100 MB.
const softMemory = 72 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	os.Exit(run(command.Context(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	program := command.Program{Name: "mastersindia-audit", Version: version, Commit: commit, Help: help}
	return command.Run(program, stdout, stderr,
		func() (options, error) { return parseOptions(args, time.Now()) },
		func(o options) error { return report(ctx, o, stdin, stdout, stderr) })
}
