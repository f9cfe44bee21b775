// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command image writes the container image of the plugin as an OCI layout, without a container engine and without a base image:
// the static binary, root certificates and nothing else. What goes in decides every byte that comes out. The plugin is the file
// that make or GoReleaser has built, which is why this is not ko: ko builds its own, and needs a registry or an engine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// options say what goes into the image and where it goes.
type options struct {
	version  string
	revision string
	created  time.Time
	folder   string
	programs []program
}

// program is the plugin's binary for one platform.
type program struct {
	os, arch string
	file     string
}

// run writes the image, and its digests to standard output.
func run(args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	digests, err := write(o)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, digests)
	return err
}

func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("image [options] OS/ARCH=BINARY ...", flag.ExitOnError)
	flags.StringVar(&o.version, "version", "", "version of the plugin, vX.Y.Z; the tag has no v, since Vault looks for it without")
	flags.StringVar(&o.revision, "revision", "unknown", "commit of the source, for a label")
	flags.StringVar(&o.folder, "o", "bin/image/oci", "folder of the image, which must not exist yet")
	flags.TextVar(&o.created, "created", time.Time{}, "time that the image states (RFC 3339): that of the commit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if !strings.HasPrefix(o.version, "v") || o.created.IsZero() || flags.NArg() == 0 {
		return o, errors.New("-version=vX.Y.Z, -created and at least one OS/ARCH=BINARY are needed")
	}
	o.created = o.created.UTC()
	for _, arg := range flags.Args() {
		platform, file, isPair := strings.Cut(arg, "=")
		system, arch, isPlatform := strings.Cut(platform, "/")
		if !isPair || !isPlatform {
			return o, fmt.Errorf("%q is not OS/ARCH=BINARY", arg)
		}
		o.programs = append(o.programs, program{os: system, arch: arch, file: file})
	}
	return o, nil
}
