// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// programs are the packages and scripts that users start, by name.
func programs() map[string]string {
	return map[string]string{
		"vault-plugin-secrets-mastersindia": "cmd/vault-plugin-secrets-mastersindia",
		"mastersindia-audit":                "audit",
		"mastersindia-simulator":            "cmd/mastersindia-simulator",
		"bench-vault":                       "acceptance/bench",
		"performance":                       "acceptance/bench/performance",
		"demo":                              "scripts/demo",
		"scripts/bench":                     "scripts/bench",
		"scripts/benchcmp":                  "scripts/benchcmp",
		"scripts/fuzz":                      "scripts/fuzz",
		"scripts/get-chromium":              "scripts/get-chromium",
		"scripts/get-kubernetes":            "scripts/get-kubernetes",
		"scripts/get-prometheus":            "scripts/get-prometheus",
		"scripts/get-runtimes":              "scripts/get-runtimes",
		"scripts/get-vault":                 "scripts/get-vault",
		"scripts/matrix":                    "scripts/matrix",
		"scripts/register":                  "scripts/register",
		"scripts/release/check-archives":    "scripts/release/check-archives",
		"scripts/release/notes":             "scripts/release/notes",
		"scripts/release/try-image":         "scripts/release/try-image",
		"scripts/reproduce":                 "scripts/reproduce",
		"scripts/try-first-run":             "scripts/try-first-run",
	}
}

// TestCommandLine_HelpVersionAndUsageErrors checks that help and version go to standard output, and that an unknown option
// gives an error that points to -help.
func TestCommandLine_HelpVersionAndUsageErrors(t *testing.T) {
	t.Parallel()
	root := check.Value(filepath.Abs(".."))(t)
	for name, at := range programs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := filepath.Join(root, at)
			if info, err := os.Stat(run); err != nil {
				t.Fatal(err)
			} else if info.IsDir() {
				run = filepath.Join(t.TempDir(), name)
				check.NoError(t, harness.BuildProgram(t.Context(), os.Stderr, "./"+at, run))
			}
			for _, option := range []string{"-h", "-help", "--help"} {
				said := start(t, run, option)
				said.want(t, option, 0, `^Usage: `+name+`\b`, `^$`)
			}
			for _, option := range []string{"-version", "--version"} {
				said := start(t, run, option)
				said.want(t, option, 0, `^`+name+` v\d+\.\d+\.\d+.*\n$`, `^$`)
			}
			said := start(t, run, "-nonsense")
			said.want(t, "-nonsense", 2, `^$`, `^Error: .*-?nonsense\nRun `+name+` -help for `)
		})
	}
}

// TestCommandLine_EveryProgramListed fails for a program that is not in programs.
func TestCommandLine_EveryProgramListed(t *testing.T) {
	t.Parallel()
	var known []string
	for _, at := range programs() {
		known = append(known, filepath.Join("..", at))
	}
	for _, pattern := range []string{"../cmd/*", "../scripts/*", "../scripts/release/*"} {
		found := check.Value(filepath.Glob(pattern))(t)
		for _, at := range found {
			if info, err := os.Stat(at); err != nil {
				t.Fatal(err)
			} else if at != "../scripts/demo" && info.IsDir() == strings.HasPrefix(at, "../scripts/") || strings.HasSuffix(at, ".go") {
				continue // no program, or one that a script or make starts
			}
			check.True(t, slices.Contains(known, at), "%s is not tried", at)
		}
	}
}

// TestCommandLine_PluginRunDirectly checks that the error shows how to register the plugin, which that of go-plugin does not.
func TestCommandLine_PluginRunDirectly(t *testing.T) {
	t.Parallel()
	found := findBinaries(t)
	said := start(t, found.Plugin)
	said.want(t, "nothing", 2, `^$`, `(?s)^Error: This is a Vault plugin\. .*vault plugin register .*vault secrets enable mastersindia`)
}

type said struct {
	code           int
	stdout, stderr string
}

func start(t *testing.T, program string, args ...string) said {
	t.Helper()
	var stdout, stderr strings.Builder
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (s said) want(t *testing.T, asked string, code int, stdout, stderr string) {
	t.Helper()
	check.True(t, s.code == code && regexp.MustCompile(stdout).MatchString(s.stdout) && regexp.MustCompile(stderr).MatchString(s.stderr),
		"%s: ended with %d, standard output %q, standard error %q", asked, s.code, s.stdout, s.stderr)
}

// TestCLIErrors_ShowCommand covers mistakes for which the vault command would show nothing, or nothing useful.
func TestCLIErrors_ShowCommand(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	for typed, want := range map[string]string{
		"read mastersindia/tokens/app":                        "did you mean vault read mastersindia/token/app?",
		"read mastersindia/creds/app":                         "see vault path-help mastersindia/",
		"read mastersindia/config":                            "the name is missing: vault read mastersindia/config/<name>; to list the names: vault list mastersindia/config",
		"read mastersindia/rotate/main":                       ": use vault write -f mastersindia/rotate/main",
		"list mastersindia/token":                             ": use vault list mastersindia/role",
		"list mastersindia/config/main":                       ": use vault list mastersindia/config",
		"delete mastersindia/status/main":                     ": use vault read mastersindia/status/main",
		"patch mastersindia/config/main paused=true":          ": use vault write mastersindia/config/main ...",
		"write mastersindia/roles/app config=main":            "did you mean vault write mastersindia/role/app ...?",
		"write mastersindia/status/main paused=true":          ": use vault read mastersindia/status/main",
		"write mastersindia/config/main user=clerk":           "did you mean username or soap_username_element?",
		"write mastersindia/config/new preset=einvoice-prod":  "preset: must be one of einvoice-sandbox, einvoice-production, ",
		"write mastersindia/role/new config=mian":             `config: "mian" does not exist`,
		"write mastersindia/role/new config=main max_ttl=1d":  "max_ttl: must be whole seconds, such as 90, or a duration",
		"write mastersindia/config/main rotation_percent=66%": "rotation_percent: must be a whole number, without a unit",
		"write -f mastersindia/config/new":                    "to create it, give a protocol, or a preset, which sets it",
		"write mastersindia/config/mian paused=true":          `config "mian" does not exist, so there is nothing to update`,
		"write mastersindia/config/main protocol=smtp":        "give a preset, which sets it",
		"list mastersindia":                                   "see vault path-help mastersindia/",
		"read mastersindia/status/main -format=json":          "options of the vault command go before the path",
		"path-help mastersindia/configs":                      "did you mean vault path-help mastersindia/config/x?",
		"path-help mastersindia/token":                        "the name is missing: vault path-help mastersindia/token/x",
		"path-help mastersindia/role/<name>":                  "name: must be 1 to 128 letters",
	} {
		said := w.refused(t, strings.Fields(typed)...)
		check.True(t, strings.Contains(strings.Join(strings.Fields(said), " "), want),
			"vault %s says:\n%s\nwant: %s", typed, said, want)
	}
}
