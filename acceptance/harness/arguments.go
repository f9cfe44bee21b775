// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit codes of the programs that are not shipped.
const (
	exitOK    = 0
	exitUsage = 2
)

// Arguments parses the arguments of a program that is not shipped, which has options only. Where done is true the program is to
// end at once with the code: it has printed its help or version, or what is wrong.
func Arguments(flags *flag.FlagSet, about string, args []string, stdout, stderr io.Writer) (code int, done bool) {
	wantsVersion := flags.Bool("version", false, "print the version and exit")
	flags.SetOutput(io.Discard) // what is wrong is said here
	flags.Usage = func() {}
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: everything is an option", flags.Arg(0))
	}
	if err == nil && *wantsVersion {
		var v string
		if v, err = checkoutVersion(); err == nil {
			_, _ = fmt.Fprintf(stdout, "%s %s\n", flags.Name(), v)
			return exitOK, true
		}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintf(stdout, "Usage: %s [options]\n\n  %s\n\nOptions:\n\n", flags.Name(), about)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return exitOK, true
	case err != nil:
		WrongArguments(flags, err, stderr)
		return exitUsage, true
	default:
		return exitOK, false
	}
}

// WrongArguments says what is wrong with the arguments of a program, and returns its exit code.
func WrongArguments(flags *flag.FlagSet, err error, stderr io.Writer) (code int) {
	_, _ = fmt.Fprintf(stderr, "Error: %s\nRun %s -help for the options.\n", err, flags.Name())
	return exitUsage
}

func checkoutVersion() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	return version(root)
}
