// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command sbom writes a bill of materials for an archive of Go programs, in the format of CycloneDX: each program with its
// SHA-256, and the modules that the Go linker noted in it. It reads nothing but the archive, so that the same archive gives the
// same document. Run it with -help.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"vault-plugin-secrets-mastersindia/internal/command"
)

const usage = `Usage: sbom -created=TIME [-o=FILE] ARCHIVE

  Writes a CycloneDX document (JSON) of the Go programs in an archive, which
  is a .tar.gz or .zip file.

      $ sbom -created=2026-01-31T12:00:00Z -o=release.tar.gz.cdx.json release.tar.gz

Options:

  -created=<time>  Time that the document states (RFC 3339): that of the commit.
  -o=<file>        Where the document goes. The default is standard output.

Exit codes: 0 written, 1 something failed, 2 wrong options.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program.
func run(args []string, stdout, stderr io.Writer) int {
	return command.Run(
		command.Program{Name: "sbom", Help: usage}, stdout, stderr,
		func() (options, error) { return parse(args) },
		func(o options) error { return write(o, stdout) },
	)
}

// options say which archive is read, and where its bill goes.
type options struct {
	archive string
	created time.Time
	file    string
}

func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // command.Run prints the error
	created := flags.String("created", "", "")
	flags.StringVar(&o.file, "o", "", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	at, err := time.Parse(time.RFC3339, *created)
	if err != nil || flags.NArg() != 1 {
		return o, errors.New("-created=TIME and one archive are needed")
	}
	o.created, o.archive = at.UTC(), flags.Arg(0)
	return o, nil
}

func write(o options, stdout io.Writer) error {
	programs, err := programsOf(o.archive)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("%s has no Go program", o.archive)
	}
	text, err := json.MarshalIndent(document(filepath.Base(o.archive), o.created, programs), "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if o.file == "" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(o.file, text, 0o644) //nolint:gosec // a bill of materials is for everybody to read
}
