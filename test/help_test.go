// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// example is a path of the document with a name filled in.
func example(path string) string {
	return strings.TrimPrefix(regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "gst"), "/")
}

func TestHelp_EveryPathHasSynopsisAndDescription(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		synctest.Wait() // the engine looks into storage when it starts
		before := len(w.Storage.Accesses())
		defer func() {
			now := len(w.Storage.Accesses())
			check.True(t, now == before, "help makes %d storage accesses, want none", now-before)
		}()
		for path := range w.document().Paths {
			resp, err := w.do(t.Context(), logical.HelpOperation, example(path), nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			help := text(t, resp.Data, "help")
			synopsis := regexp.MustCompile(`(?s)Matching Route:[^\n]*\n\n(.*?)\n\n`).FindStringSubmatch(help)
			check.True(t, synopsis != nil && regexp.MustCompile(`^[A-Z][^\n]*\.$`).MatchString(synopsis[1]),
				"%s: the synopsis is no sentence on one line: %q", path, synopsis)
			_, description, found := strings.Cut(help, "## DESCRIPTION")
			if description = strings.TrimSpace(description); !found || len(description) < 40 || !strings.Contains(description, ".") {
				t.Errorf("%s: the description is %q", path, description)
			}
			for _, placeholder := range []string{"TODO", "FIXME", "<no description>", "%!", "<nil>", "{{"} {
				check.True(t, !strings.Contains(help, placeholder), "%s: the help has %q in it", path, placeholder)
			}
			checkWidth(t, path, help)
		}
	})
}

// checkWidth wants a text to fit into a terminal.
func checkWidth(t *testing.T, of, help string) {
	t.Helper()
	for line := range strings.Lines(help) {
		columns := len(strings.TrimRight(line, "\n"))
		check.True(t, columns <= 80, "%s: a line has %d columns: %s", of, columns, line)
	}
}

func TestHelp_OfMountNamesEveryPath(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		resp, err := w.do(t.Context(), logical.HelpOperation, "", nil)
		check.NoError(t, err)
		help := text(t, resp.Data, "help")
		check.True(t, strings.Contains(help, "Masters India"), "the help does not say what the engine is for: %q", help)
		checkWidth(t, "the mount", help)
		for path := range w.document().Paths {
			first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			check.True(t, strings.Contains(help, "^"+first), "the help does not name %s", path)
		}
	})
}
