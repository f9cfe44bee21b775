// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command performance writes what was measured into the documentation: tables into a Markdown file, between the markers that
// are there for them, and plots beside it.
// The plots are our own SVG: gonum.org/v1/plot took as much code, and drew legends over bars, for files of twice the size.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

const about = `Writes the tables and plots of docs/performance.md anew from what was measured
  last. Run it in the root of the checkout, as make plots does.`

func main() {
	flags := flag.NewFlagSet("performance", flag.ContinueOnError)
	if code, done := harness.Arguments(flags, about, os.Args[1:], os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	if err := run("docs/performance"); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

// run writes the document beside the folder with the results and the plots, which has its name.
func run(folder string) error {
	r, err := results.Read(filepath.Join(folder, "results.json"))
	if err != nil {
		return err
	}
	p, err := results.ReadInProcess(filepath.Join(folder, "bench.txt"))
	if err != nil {
		return err
	}
	for name, plot := range plotsOf(r, p) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(plot), 0o644); err != nil {
			return err
		}
	}
	return fill(folder+".md", partsOf(r, p))
}
