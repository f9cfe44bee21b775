// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
	"vault-plugin-secrets-mastersindia/internal/check"
)

const folder = "../../../docs/performance"

// TestTheDocumentIsThatOfItsResults keeps the tables and plots from telling of another run than the results beside them.
func TestTheDocumentIsThatOfItsResults(t *testing.T) {
	t.Parallel()
	r := check.Value(results.Read(filepath.Join(folder, "results.json")))(t)
	p := check.Value(results.ReadInProcess(filepath.Join(folder, "bench.txt")))(t)
	kept := check.Value(os.ReadFile(folder + ".md"))(t)
	file := filepath.Join(t.TempDir(), "performance.md")
	check.NoError(t, os.WriteFile(file, kept, 0o600))
	check.NoError(t, fill(file, partsOf(r, p)))
	if filled, err := os.ReadFile(file); err != nil || string(filled) != string(kept) {
		t.Errorf("docs/performance.md is not what make plots writes (%v)", err)
	}
	for name, plot := range plotsOf(r, p) {
		if drawn, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(drawn) != plot {
			t.Errorf("docs/performance/%s is not what make plots writes (%v)", name, err)
		}
		check.True(t, strings.Contains(string(kept), "performance/"+name), "docs/performance.md does not show %s", name)
		wellFormed(t, name, plot)
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestFillWantsAllMarkersAndAllParts(t *testing.T) {
	t.Parallel()
	const document = "before\n<!-- begin a -->\nold\n<!-- end a -->\nbetween\n<!-- begin b -->\n<!-- end b -->\nafter\n"
	for name, c := range map[string]struct {
		parts map[string]string
		want  string
	}{
		"both": {
			map[string]string{"a": "A\n", "b": "B\n"},
			"before\n<!-- begin a -->\n\nA\n\n<!-- end a -->\nbetween\n<!-- begin b -->\n\nB\n\n<!-- end b -->\nafter\n",
		},
		"a part without markers": {map[string]string{"a": "A\n", "b": "B\n", "c": "C\n"}, ""},
		"markers without a part": {map[string]string{"a": "A\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "document.md")
			check.NoError(t, os.WriteFile(file, []byte(document), 0o600))
			err := fill(file, c.parts)
			text, readErr := os.ReadFile(file)
			if readErr != nil {
				t.Fatal(readErr)
			}
			switch got := string(text); {
			case c.want == "" && (err == nil || got != document):
				t.Errorf("the document became %q (%v), want an error and no change", got, err)
			case c.want != "" && (err != nil || got != c.want):
				t.Errorf("the document became %q (%v), want %q", got, err, c.want)
			}
		})
	}
}
