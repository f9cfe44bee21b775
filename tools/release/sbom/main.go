// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command sbom writes a bill of materials for an archive of Go programs, in the format of CycloneDX: each program with its
// SHA-256, and the modules that the Go linker noted in it. It reads nothing but the archive, so that the same archive gives the
// same document. CycloneDX's own cyclonedx-gomod takes one program rather than an archive, states the time at which it ran or
// none, and needs 42 modules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

// run writes the document of the archive that the arguments name.
func run(args []string) (err error) {
	flags := flag.NewFlagSet("sbom [options] ARCHIVE", flag.ExitOnError)
	file := flags.String("o", "", "file of the document")
	var created time.Time
	flags.TextVar(&created, "created", time.Time{}, "time that the document states (RFC 3339): that of the commit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if created.IsZero() || *file == "" || flags.NArg() != 1 {
		return errors.New("-created=TIME, -o=FILE and one archive are needed")
	}
	archive := flags.Arg(0)
	programs, err := programsOf(archive)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("%s has no Go program", archive)
	}
	f, err := os.Create(*file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	bom := document(filepath.Base(archive), created.UTC(), programs)
	return cyclonedx.NewBOMEncoder(f, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}
