// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden compares reports of the same day with those of before. UPDATE_GOLDEN=1 writes them anew.
func TestGolden(t *testing.T) {
	withoutVault(t)
	for name, shown := range map[string][]string{"tuned": tuned(), "untuned": nil} {
		path := logFile(t, func(l *Log) { l.HideIssue = shown == nil; l.Day() }, shown...)
		for _, format := range []string{"table", "csv", "json"} {
			got := must(t, "", "-format="+format, path)
			golden := filepath.Join("testdata", name+"."+format)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from what is now written (UPDATE_GOLDEN=1 takes it over):\n%s", golden, got)
			}
		}
	}
}

func TestNothingInALogHarmsWhoLooksAtIt(t *testing.T) {
	t.Parallel()
	keys := append(tuned(), hostile()...)
	log := logFile(t, hostileDay, keys...)
	for _, format := range []string{"table", "csv"} {
		text := must(t, "", "-format="+format, log)
		for _, r := range text {
			if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2028 || r == 0x2029 || r == 0x200b) {
				t.Fatalf("%s has the character %U in it", format, r)
			}
		}
		if format == "csv" {
			wantNoFormula(t, text)
		}
	}
	page := must(t, "", "-format=html", log)
	if n := strings.Count(strings.ToLower(page), "<script"); n != 2 {
		t.Errorf("the page has %d script elements, want that with the data and its own", n)
	}
	if strings.Contains(page, "<img") || strings.Contains(page, "\u2028") || !strings.Contains(page, "default-src &#39;none&#39;") {
		t.Error("the page has an element from the log in it, or no policy")
	}
}

func wantNoFormula(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for cell := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			if cell = strings.Trim(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("a spreadsheet would take this for a formula: %s", cell)
			}
		}
	}
}
