// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// sectionsOf reads the commands of a document by the headings that they stand under.
func sectionsOf(t *testing.T, name string) map[string][]shown {
	t.Helper()
	sections := map[string][]shown{}
	for heading, text := range sectionTexts(t, name) {
		sections[heading] = commandsIn(t, text)
	}
	return sections
}

// sectionTexts cuts a document at its headings, of any level below the title.
func sectionTexts(t *testing.T, name string) map[string]string {
	t.Helper()
	text := readFile(t, name)
	sections := map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^##+ `).Split(string(text), -1) {
		heading, body, _ := strings.Cut(part, "\n")
		sections[heading] = body
	}
	return sections
}

// openedShell is a shell that stays open, as that of a person who follows a document: variables last.
type openedShell struct {
	document string
	stdin    io.Writer
	output   *bufio.Scanner
	number   int
}

// openShell opens a shell on a node, for the commands of a document: vault is the server's own, and talks to that node. The shell
// ends with the test.
func (w *testVault) openShell(t *testing.T, node *harness.Vault, document, dir string) *openedShell {
	t.Helper()
	cmd := w.bash(t, node, dir)
	stdin := check.Value(cmd.StdinPipe())(t)
	output := check.Value(cmd.StdoutPipe())(t)
	cmd.Stderr = cmd.Stdout
	check.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // the last command's exit code, which run has seen
	})
	return &openedShell{document: document, stdin: stdin, output: bufio.NewScanner(output)}
}

// bash is a shell of a user who is logged in to a node's machine.
func (w *testVault) bash(t *testing.T, node *harness.Vault, dir string, args ...string) *exec.Cmd {
	t.Helper()
	d := &docsVault{testVault: w}
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{"--noprofile", "--norc"}, args...)...)
	cmd.Dir = dir
	cmd.Env = node.CLI.Env("PLUGIN_DIR="+filepath.Join(node.Dir, "plugins"), "PATH="+d.programsOnPath(t)+":"+os.Getenv("PATH"))
	return cmd
}

// follow types the commands of a section, which must have some, and returns what they printed.
func (s *openedShell) follow(t *testing.T, sections map[string][]shown, section string) []string {
	t.Helper()
	check.Require(t, len(sections[section]) != 0, "%s has no commands in a section %q", s.document, section)
	var printed []string
	for _, c := range sections[section] {
		printed = append(printed, s.run(t, c))
	}
	return printed
}

// run types a command, which must succeed and response as shown, and returns what it printed.
func (s *openedShell) run(t *testing.T, c shown) string {
	t.Helper()
	printed, code := s.try(t, c.command)
	check.Require(t, code == "0", "%s: %s\nfailed with exit code %s: %s", s.document, c.command, code, printed)
	missing, _ := compare(printed, c.response)
	check.True(t, missing == "", "%s: %s\nexpected: %s\ngot: %s", s.document, c.command, missing, printed)
	return printed
}

// try types a command, and returns what it printed and its exit code.
func (s *openedShell) try(t *testing.T, command string) (printed, code string) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", command).CombinedOutput()
	check.Require(t, err == nil, "%s: %s is no whole command, and the shell would wait for its rest: %s", s.document, command, said)
	s.number++
	mark := fmt.Sprintf("==> %d: ", s.number)
	check.Value(fmt.Fprintf(s.stdin, "%s\nprintf '\\n%s%%d\\n' \"$?\"\n", command, mark))(t)
	var lines strings.Builder
	for s.output.Scan() {
		if code, ended := strings.CutPrefix(s.output.Text(), mark); ended {
			return lines.String(), code
		}
		lines.WriteString(s.output.Text() + "\n")
	}
	t.Fatalf("%s: the shell ended in %s: %v", s.document, command, s.output.Err())
	return "", ""
}
