// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// gap is a line of a document that stands for any number of lines of a response.
const gap = "…"

// mostShown is how many lines of a response a document is given, and widest how many characters of a line. A gap follows.
const (
	mostShown = 24
	widest    = 150
)

// mask is put in the place of what differs from one run to the next in responses that are the same.
type mask struct {
	pattern *regexp.Regexp
	with    string
}

type masks []mask

func passing() masks {
	return masks{
		{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "UUID"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)`), "TIME"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?`), "DAY"},
		{regexp.MustCompile(`eyJ[\w.-]*…?`), "JWT"},
		{regexp.MustCompile(`hv[a-z]\.[\w-]+…?`), "VAULT-TOKEN"},
		{regexp.MustCompile(`\b[0-9a-f]{16,64}\b…?`), "HEX"},
		{regexp.MustCompile(`(token/[\w-]+)/[A-Za-z0-9]{24}\b`), "$1/LEASE"},
		{regexp.MustCompile(`\b[a-z2-7]{30,}\b…?|\b[A-Za-z0-9]{4,}…`), "OPAQUE"},
		{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?s\b`), "SPAN"},
		{regexp.MustCompile(`\b127\.0\.0\.1:\d+\b`), "LOOPBACK"},
		{regexp.MustCompile(`\b\d{3,}(\.\d+)?\b`), "NUMBER"},
		{regexp.MustCompile(`-{3,}`), "---"},
		{regexp.MustCompile(`[ \t]+`), " "},
	}
}

func (m masks) on(line string) string {
	for _, mask := range m {
		line = mask.pattern.ReplaceAllString(line, mask.with)
	}
	return strings.TrimSpace(line)
}

// compare looks for the lines that a document shows in the output of a command, in their order, and returns the first that is not
// there; "" if all are. A document that shows nothing of a response hides it: quiet says that there is none.
func compare(response string, lines []string) (missing string, quiet bool) {
	passing := passing()
	var given []string
	for line := range strings.Lines(response) {
		if line = passing.on(line); line != "" {
			given = append(given, line)
		}
	}
	at := 0
	for _, line := range lines {
		if strings.TrimSpace(line) == gap {
			continue
		}
		// A line that ends in a gap goes on.
		want := passing.on(strings.TrimSuffix(line, " "+gap))
		found := slices.IndexFunc(given[at:], func(other string) bool { return strings.Contains(other, want) })
		if found < 0 {
			return line, len(given) == 0
		}
		at += found
	}
	return "", len(given) == 0
}

func (c shown) check(t *testing.T, document, response string) {
	t.Helper()
	missing, quiet := compare(response, c.response)
	switch {
	case missing != "":
		t.Errorf("%s: %s\nexpected: %s\ngot: %s", document, c.command, missing, response)
	case !quiet && len(c.response) == 0 && os.Getenv("UPDATE_DOCS") == "":
		t.Errorf("%s: %s\nprints this, which the document does not show (\"make outputs\" writes it there): %s", document, c.command, response)
	}
}

// write puts the responses into a document where it shows none.
func writeOutputs(t *testing.T, document string, commands []shown, responses []string) {
	t.Helper()
	if os.Getenv("UPDATE_DOCS") == "" {
		return
	}
	name := filepath.Join("..", document)
	source := readFile(t, name)
	text, from := string(source), 0
	for n, c := range commands {
		at := strings.Index(text[from:], "\n$ "+c.command+"\n")
		check.Require(t, at >= 0, "%s has no line %q where it should be", document, c.command)
		from += at + len("\n$ "+c.command+"\n")
		if len(c.response) == 0 {
			response := presentable(responses[n])
			text = text[:from] + response + text[from:]
			from += len(response)
		}
		from-- // the next command begins with the same end of line
	}
	check.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// presentable is a response as a document shows it: no longer than a reader wants, and without whole tokens.
func presentable(response string) string {
	response = regexp.MustCompile(`(eyJ[\w-]{8})[\w.-]+`).ReplaceAllString(response, "$1…")
	response = regexp.MustCompile(`(hv[a-z]\.[\w-]{4})[\w-]+`).ReplaceAllString(response, "$1…")
	response = regexp.MustCompile(`\b([a-z2-7]{8})[a-z2-7]{22,}\b`).ReplaceAllString(response, "$1…")
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(response)) {
		line = strings.TrimRight(line, " \n")
		if at := strings.LastIndex(line[:min(len(line), widest)], " "); len(line) > widest && at > 0 {
			line = line[:at] + " " + gap
		}
		if line != "" || lines[len(lines)-1] != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > mostShown {
		lines = append(lines[:mostShown], gap)
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestDocs_OutputComparison shows that a response that is another is not taken for the one that a document shows.
func TestDocs_OutputComparison(t *testing.T) {
	t.Parallel()
	const response = "\nKey      Value\n---      -----\nstate    ready\nuntil    2026-11-22T10:00:00Z\ntoken    eyJhbGciOiJIUzI1NiJ9.e30.c2ln\n"
	for _, c := range []struct {
		shows   []string
		missing string
	}{
		{[]string{"Key  Value", "---  -----", "state  ready", "until  2025-01-01T00:00:00Z", "token  eyJhbGci…"}, ""},
		{[]string{"state ready", "…", "token eyJhbGci…"}, ""},
		{[]string{"state …", "until …"}, ""},
		{[]string{"state paused"}, "state paused"},
		{[]string{"until ready"}, "until ready"},
		{[]string{"token eyJhbGci…", "state ready"}, "state ready"}, // in another order
	} {
		if missing, _ := compare(response, c.shows); missing != c.missing {
			t.Errorf("of %q line %q was missed, want %q", c.shows, missing, c.missing)
		}
	}
}
