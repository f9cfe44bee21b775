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

// Exit codes.
const (
	exitOK     = 0 // written
	exitFailed = 1 // something could not be read or written
	exitUsage  = 2 // the options make no sense
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error
	created := flags.String("created", "", "")
	out := flags.String("o", "", "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	at, timeErr := time.Parse(time.RFC3339, *created)
	if err == nil && (timeErr != nil || flags.NArg() != 1) {
		err = errors.New("-created=TIME and one archive are needed")
	}
	if err != nil {
		fmt.Fprintf(stderr, "Error: %v\nRun it with -help for the options.\n", err)
		return exitUsage
	}
	if err := write(flags.Arg(0), at.UTC(), *out, stdout); err != nil {
		fmt.Fprintf(stderr, "Error: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func write(archive string, created time.Time, file string, stdout io.Writer) error {
	programs, err := programsOf(archive)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("%s has no Go program", archive)
	}
	text, err := json.MarshalIndent(document(filepath.Base(archive), created, programs), "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if file == "" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // a bill of materials is for everybody to read
}
