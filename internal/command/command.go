// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package command is what programs that people start have in common: signals, -help, -version, options that make no sense, and
// exit codes.
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
	ExitOK     = 0 // all is done, or after -help or -version
	ExitFailed = 1 // it is not
	ExitUsage  = 2 // the options make no sense
)

// errVersion is what options come to with -version, as with -help they come to flag.ErrHelp.
var errVersion = errors.New("the version is asked for")

// Program is what a program says of itself.
type Program struct {
	Name, Version, Commit string
	Help                  string
}

// Context ends with the first signal to end.
func Context() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one kills, should the orderly end hang.
	context.AfterFunc(ctx, stop)
	return ctx
}

// Flags are the flags of a program, with -version among them.
type Flags struct {
	flag.FlagSet

	version bool
}

// NewFlags has -version only.
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

// Misused says what is wrong with the options of a program, and returns its exit code.
func Misused(name string, err error, stderr io.Writer) int {
	fmt.Fprintf(stderr, "Error: %s\nRun %s -help for the options.\n", err, name)
	return ExitUsage
}

// Run does what the options say, and returns the exit code.
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
