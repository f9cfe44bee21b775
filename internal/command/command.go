// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package command has what command-line programs have in common: signals, -help, -version, invalid options, and exit codes.
package command

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

// Exit codes.
const (
	ExitOK     = 0 // success, -help or -version
	ExitFailed = 1 // failure
	ExitUsage  = 2 // invalid options
)

// errVersion is returned for -version, as flag.ErrHelp is for -help.
var errVersion = errors.New("version requested")

// Program describes a program.
type Program struct {
	Name, Version, Commit string
	Help                  string
}

// Context is cancelled by the first interrupt or SIGTERM.
func Context() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal kills the process, in case the orderly shutdown hangs.
	context.AfterFunc(ctx, stop)
	return ctx
}

// Flags are the flags of a program, including -version.
type Flags struct {
	flag.FlagSet

	version bool
}

// NewFlags returns a set with only -version.
func NewFlags() *Flags {
	f := new(Flags)
	f.SetOutput(io.Discard) // Run prints the error, and the help is written by hand
	f.BoolVar(&f.version, "version", false, "")
	return f
}

// Parse parses the arguments. Its error is for Run.
func (f *Flags) Parse(args []string) error {
	if err := f.FlagSet.Parse(args); err != nil {
		return err
	}
	if f.version {
		return errVersion
	}
	return nil
}

// Misused prints the error in the options of a program, and returns the exit code.
func Misused(name string, err error, stderr io.Writer) int {
	fmt.Fprintf(stderr, "Error: %s\nRun %s -help for the options.\n", err, name)
	return ExitUsage
}

// Run runs the program with its options, and returns the exit code.
func Run[O any](p Program, stdout, stderr io.Writer, options func() (O, error), do func(O) error) int {
	o, err := options()
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = fmt.Fprint(stdout, p.Help)
	case errors.Is(err, errVersion):
		_, err = fmt.Fprintf(stdout, "%s %s (%s)\n", p.Name, p.Version, p.Commit)
	case err != nil:
		return Misused(p.Name, err, stderr)
	default:
		err = do(o)
	}
	if err != nil {
		fmt.Fprintf(stderr, "Error: %s\n", err)
		return ExitFailed
	}
	return ExitOK
}
