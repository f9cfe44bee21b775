// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command image writes the container image of the plugin as an OCI layout, without a container engine and without a base image:
// the static binary, root certificates and nothing else. What goes in decides every byte that comes out. Run it with -help.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/command"
)

const usage = `Usage: image -version=v0.1.0 -created=TIME -roots=FILE [options] OS/ARCH=BINARY ...

  Writes an OCI image of the plugin for each platform into a folder, and their
  digests to standard output. Copy it with any tool that knows OCI layouts:

      $ skopeo copy --all oci:bin/image/oci:0.1.0 docker://registry.example.com/mastersindia:0.1.0

Options:

  -created=<time>    Time that the image states (RFC 3339): that of the commit.
  -o=<folder>        Where the image goes. It must not be there yet.
  -revision=<commit> Commit of the source, for a label.
  -roots=<file>      Root certificates that the plugin trusts (PEM).
  -version=<version> Version of the plugin. The tag is the same without the v,
                     since that is what Vault looks for.

Exit codes: 0 written, 1 something failed, 2 wrong options.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program.
func run(args []string, stdout, stderr io.Writer) int {
	return command.Run(
		command.Program{Name: "image", Help: usage}, stdout, stderr,
		func() (options, error) { return parse(args) },
		func(o options) error { return write(o, stdout) },
	)
}

// options say what goes into the image and where it goes.
type options struct {
	version  string
	revision string
	created  time.Time
	roots    string
	folder   string
	programs []program
}

// program is the plugin's binary for one platform.
type program struct {
	os, arch string
	file     string
}

func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // command.Run prints the error
	flags.StringVar(&o.version, "version", "", "")
	flags.StringVar(&o.revision, "revision", "unknown", "")
	flags.StringVar(&o.roots, "roots", "", "")
	flags.StringVar(&o.folder, "o", "bin/image/oci", "")
	created := flags.String("created", "", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if !strings.HasPrefix(o.version, "v") || o.roots == "" || flags.NArg() == 0 {
		return o, errors.New("-version=vX.Y.Z, -roots and at least one OS/ARCH=BINARY are needed")
	}
	at, err := time.Parse(time.RFC3339, *created)
	if err != nil {
		return o, fmt.Errorf("-created: %w", err)
	}
	o.created = at.UTC()
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

// write makes the layout and tells the digests: that of the whole, and for each platform that of its manifest and that of its
// configuration, which is the image's ID.
func write(o options, stdout io.Writer) error {
	l, err := newLayout(o.folder)
	if err != nil {
		return err
	}
	roots, err := rootsLayer(o.roots)
	if err != nil {
		return err
	}
	images := make([]descriptor, 0, len(o.programs))
	var table strings.Builder
	for _, p := range o.programs {
		plugin, err := pluginLayer(p.file)
		if err != nil {
			return err
		}
		image, id, err := l.image(o, p, []layer{roots, plugin})
		if err != nil {
			return err
		}
		images = append(images, image)
		fmt.Fprintf(&table, "%s/%s\tmanifest\t%s\n%s/%s\tid\t%s\n", p.os, p.arch, image.Digest, p.os, p.arch, id)
	}
	all, err := l.index(images, strings.TrimPrefix(o.version, "v"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "all\tindex\t%s\n%s", all.Digest, table.String())
	return err
}
