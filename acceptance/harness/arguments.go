// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"vault-plugin-secrets-mastersindia/internal/command"
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
		var root, v string
		if root, err = moduleRoot(); err == nil {
			v, err = version(root)
		}
		if err == nil {
			_, _ = fmt.Fprintf(stdout, "%s %s\n", flags.Name(), v)
			return command.ExitOK, true
		}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintf(stdout, "Usage: %s [options]\n\n  %s\n\nOptions:\n\n", flags.Name(), about)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return command.ExitOK, true
	case err != nil:
		return command.Misused(flags.Name(), err, stderr), true
	default:
		return command.ExitOK, false
	}
}
