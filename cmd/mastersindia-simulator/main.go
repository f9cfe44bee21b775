// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command mastersindia-simulator serves the login endpoints of Masters India and of Fiserv FirstVision as they are
// documented, on this machine only, for tests and for people who have no account yet. Run it with -help.
package main

import (
	"context"
	"io"
	"os"

	"vault-plugin-secrets-mastersindia/internal/command"
)

// Set by the linker: see the Makefile.
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

func main() {
	os.Exit(run(command.Context(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It ends when ctx does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := command.Program{Name: "mastersindia-simulator", Version: version, Commit: commit, Help: help()}
	return command.Run(program, stdout, stderr,
		func() (options, error) { return parseOptions(args) },
		func(o options) error { return serve(ctx, o, stdout, stderr) })
}
