// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package scripts_test

import (
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// output is what a command in the root folder prints. It must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = ".."
	said, err := command.CombinedOutput()
	check.Require(t, err == nil, "%v: %v\n%s", command.Args, err, said)
	return string(said)
}

// TestChecks_LeaveNothingOut: what is taken out of the checks fails nowhere else.
func TestChecks_LeaveNothingOut(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"lint", "test", "demo", "fuzz"} {
		check.True(t, regexp.MustCompile(`(?m)^step make `+step+`\b`).MatchString(read(t, "../.ci/run")), ".ci/run has no step make %s", step)
	}
	lint, tests := output(t, "make", "-n", "lint"), output(t, "make", "-n", "unit", "conformance", "acceptance")
	own := regexp.MustCompile(`(?m)^([a-z/]+)/go\.mod$`)
	for _, module := range own.FindAllStringSubmatch(output(t, "git", "ls-files", "*/go.mod"), -1) {
		if output(t, "git", "ls-files", path.Join(module[1], "*_test.go")) == "" {
			continue // a tool of others, of which this pins the version
		}
		check.True(t, len(regexp.MustCompile(`for module in .*\b`+module[1]+`\b`).FindAllString(lint, -1)) == 2,
			"make lint does not vet and lint %s: is it in MODULES of the Makefile?", module[1])
		check.True(t, strings.Contains(tests, "go test -C "+module[1]), "make unit does not test %s", module[1])
	}
	for _, command := range regexp.MustCompile(`go test .*`).FindAllString(tests, -1) {
		isException := strings.Contains(command, "-run") || strings.Contains(command, "-C ")
		check.True(t, isException || strings.HasPrefix(command, "go test -race "), "the race detector is off: %s", command)
	}
}

// TestChecks_ExceptionsAreTests: an exception whose test has another name now is for another test, or for none.
func TestChecks_ExceptionsAreTests(t *testing.T) {
	t.Parallel()
	tests := output(t, "git", "grep", "-h", "-E", `^func Test`, "--", "test", "audit")
	for _, exceptions := range regexp.MustCompile(`(?m)^(?:SLOW|UNRACED|SCANS) := (.*)$`).FindAllStringSubmatch(read(t, "../Makefile"), -1) {
		for _, name := range regexp.MustCompile(`(Test\w+)(?:\(([^)]*)\))?`).FindAllStringSubmatch(exceptions[1], -1) {
			for after := range strings.SplitSeq(name[2], "|") {
				check.True(t, strings.Contains(tests, "func "+name[1]+after), "Makefile: no test begins with %s%s", name[1], after)
			}
		}
	}
}

// TestChecks_NamedTargetsExist: a document, message or workflow that names a target which is gone stops its reader.
func TestChecks_NamedTargetsExist(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../Makefile")
	named := output(t, "git", "grep", "-oE", "([`\"]|[$] |^step |run: +|=[^ ]* )make ([A-Z]+=[^ ]+ )*[a-z][a-z/-]*", "--", ":!*_test.go")
	for place := range strings.Lines(named) {
		target := place[strings.LastIndex(place, " ")+1 : len(place)-1]
		check.True(t, strings.Contains(makefile, "\n"+target+":"), "the Makefile has no target %s: write another in %s", target, place)
	}
	check.True(t, strings.Contains(named, "CONTRIBUTING.md:") && strings.Count(named, "\n") >= 50, "the targets were not found:\n%s", named)
}
