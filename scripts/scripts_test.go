// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package scripts_test runs the scripts and the Makefile as a developer does.
package scripts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// wantRefused runs a command that must fail, and say what matches the pattern.
func wantRefused(t *testing.T, command *exec.Cmd, pattern string) {
	t.Helper()
	said, err := command.CombinedOutput()
	check.True(t, err != nil && regexp.MustCompile(pattern).Match(said),
		"%v: ended with %v, want an error, and output that matches %q:\n%s", command.Args, err, pattern, said)
}

// TestFuzz_CountRefused checks that the script takes a number of executions, and no duration.
func TestFuzz_CountRefused(t *testing.T) {
	t.Parallel()
	for _, count := range []string{"", "30s", "10m", "1000x", "0", "1e6", "many", "9999999999999999999"} {
		wantRefused(t, exec.CommandContext(t.Context(), "./fuzz", count),
			`^Error: COUNT is how often each test runs, a number such as 200000, not '`+count+`'\nRun scripts/fuzz -help`)
	}
}

// TestBench_ValuesRefused checks that a value is named before anything is built: Go would print all of its flags.
func TestBench_ValuesRefused(t *testing.T) {
	t.Parallel()
	bench := filepath.Join(t.TempDir(), "bench.txt")
	for _, arguments := range [][]string{{"./bench", bench}, {"./benchcmp", "HEAD"}} {
		for _, values := range [][2]string{{"abc", "1"}, {"10", "1"}, {"1s", "0"}, {"1s", "-1"}} {
			wantRefused(t, exec.CommandContext(t.Context(), arguments[0], arguments[1], ".", values[0], values[1]),
				`^Error: [A-Z]+ is .*, not '(`+values[0]+`|`+values[1]+`)'\nRun scripts`+arguments[0][1:]+` -help`)
		}
	}
}

// TestBench_OtherFileKept checks that the script overwrites no file but one of results. Where it gets further, Go refuses
// its flags.
func TestBench_OtherFileKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct{ text, said string }{
		{"# Performance\n", `^Error: .*/bench.txt holds something else: name another FILE, or remove it\n`},
		{"goos: linux\nBenchmarkRead 1 1 ns/op\n", `unknown flag -no-such`},
		{"", `unknown flag -no-such`},
	} {
		file := filepath.Join(dir, "bench.txt")
		check.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		wantRefused(t, exec.CommandContext(t.Context(), "env", "GOFLAGS=-no-such", "./bench", file), c.said)
		check.Equal(t, read(t, file), c.text, "the file afterwards")
	}
	wantRefused(t, exec.CommandContext(t.Context(), "env", "GOFLAGS=-no-such", "./bench", dir), `^Error: .* holds something else`)
}

// TestFuzz_FailureNamesNewInput checks that the script names the input that made a test fail where Go wrote a new one, and no file
// where a test fails with an input of its own.
func TestFuzz_FailureNamesNewInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ seed, said string }{
		{seed: "a", said: `\nfuzz: FuzzShort failed, and go test repeats it from now on with the input in \./testdata/fuzz/FuzzShort/[0-9a-f]+\n$`},
		{seed: "too long", said: `\nfuzz: FuzzShort failed\n$`},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"go.mod":                     "module example.test\n\ngo 1.26\n",
			"VERSION":                    "v0.0.0\n",
			"scripts/fuzz":               read(t, "fuzz"),
			"scripts/lib/arguments.bash": read(t, "lib/arguments.bash"),
			"short_test.go": `package short
import "testing"
func FuzzShort(f *testing.F) {
	f.Add("` + c.seed + `")
	f.Fuzz(func(t *testing.T, s string) { if len(s) > 4 { t.Error("too long") } })
}`,
		} {
			at := filepath.Join(dir, name)
			check.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
			check.NoError(t, os.WriteFile(at, []byte(text), 0o600))
		}
		command := exec.CommandContext(t.Context(), "bash", "scripts/fuzz", "200000")
		command.Dir = dir
		wantRefused(t, command, c.said)
	}
}

// TestGetVault_ShellFunctionIsNoProgram checks that a shell function of that name is not taken for the program on the PATH.
func TestGetVault_ShellFunctionIsNoProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "vault")
	check.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	command := exec.CommandContext(t.Context(), "./get-vault")
	command.Env = append(os.Environ(), "BASH_FUNC_vault%%=() { false; }", "VAULT_BIN=", "BAO_BIN=",
		"PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	if said, err := command.CombinedOutput(); err != nil || string(said) != program+"\n" {
		t.Errorf("%v: it says %q, want %s", err, said, program)
	}
}

// TestGetVault_VersionThatIsNotThere checks what a misspelt version says, whether the module proxy can be asked or not.
func TestGetVault_VersionThatIsNotThere(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "./get-vault", "9.9.9")
	command.Env = append(os.Environ(), "GOPROXY=off")
	wantRefused(t, command, `^get-vault: there is no Vault 9\.9\.9, or Go cannot fetch it: `)
}

// TestRegister_OptionsRefused checks what the script says of a checksum that is none, such as that of an unset variable.
func TestRegister_OptionsRefused(t *testing.T) {
	t.Parallel()
	for option, pattern := range map[string]string{
		"-sha256=":   `^Error: -sha256 must be the 64 hex digits of a SHA-256, and has 0 characters\nRun scripts/register -help`,
		"-sha256=00": `^Error: -sha256 must be the 64 hex digits of a SHA-256, and has 2 characters\n`,
		"-sha256":    `^Error: write -sha256=\.\.\. as one word\n`,
		"--timeout":  `^Error: write --timeout=\.\.\. as one word\n`,
	} {
		wantRefused(t, exec.CommandContext(t.Context(), "./register", option, "register"), pattern)
	}
}

// TestRegister_CommandsAreQuoted checks that a printed command can be copied where the path has a blank.
func TestRegister_CommandsAreQuoted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a plugin")
	check.NoError(t, os.WriteFile(file, nil, 0o600))
	wantRefused(t, exec.CommandContext(t.Context(), "./register", file), `: chmod 0755 /\S+/a\\ plugin\n$`)
}

// TestRegister_EndsBeforeItIsDone runs the script with a vault that ends it, or refuses: from its first change on it says how to go
// back, and to the other nodes of a cluster the person is pointed at the end.
func TestRegister_EndsBeforeItIsDone(t *testing.T) {
	t.Parallel()
	const undone, pin = "not done: ", "$ vault delete sys/plugins/pins/secret/mastersindia\n$ vault plugin reload"
	for name, c := range map[string]struct {
		fails      string
		says, lack []string
	}{
		"nothing fails":      {"none) ", []string{"m/ runs v0.1.0, and is to run v9.0.0", "each other node of the cluster needs plugin with"}, []string{undone}},
		"before the changes": {"'secrets list'*) exit 2", []string{"the mounts cannot be listed"}, []string{undone, pin}},
		"register refused":   {"'plugin register'*) exit 2", []string{"nothing was changed"}, []string{undone, pin}},
		"register in doubt":  {"'plugin register'*) touch registered; exit 2", []string{undone, "-sha256=former"}, []string{pin, "reads may fail"}},
		"pin refused":        {"'write sys/plugins/pins'*) exit 2", []string{undone, "-sha256=former", pin}, []string{"reads may fail"}},
		"pin replaced": {
			"*version*plugins/pins*) echo v0.0.9;;\n'plugin reload'*) exit 2",
			[]string{undone, "-sha256=former", "$ vault write sys/plugins/pins/secret/mastersindia version=v0.0.9\n$ vault plugin reload"}, []string{pin},
		},
		"ended at reload": {"'plugin reload'*) kill -TERM $PPID", []string{undone, "-sha256=former", pin}, nil},
		"reload refused":  {"'plugin reload'*) exit 2", []string{undone, "reads may fail", "-sha256=former", pin}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			plugin, state := filepath.Join(dir, "plugin"), filepath.Join(dir, "state")
			for file, text := range map[string]string{
				plugin: "echo 'vault-plugin-secrets-mastersindia v9.0.0 (0)'\n",
				filepath.Join(dir, "vault"): "case \"$*\" in\n" + c.fails + ";;\n" +
					"status) echo 'HA Enabled true';;\n'secrets list') echo 'm/ mastersindia n/a';;\n" +
					"'token capabilities'*) echo root;;\n" +
					"'plugin register'*) touch registered;;\n'read sys/plugins/catalog'*) ls registered;;\n" +
					"'plugin reload'*) echo v9.0.0 > " + state + ";;\n" +
					"*running_plugin_version*) cat " + state + " 2>/dev/null || echo v0.1.0;;\n" +
					"*sha256*catalog*) echo former;;\n*command*catalog*) echo former-file;;\n*plugin_directory*) echo " + dir + ";;\nesac\n",
			} {
				check.NoError(t, os.WriteFile(file, []byte("#!/bin/bash\n"+text), 0o700))
			}
			command := exec.CommandContext(t.Context(), check.Value(filepath.Abs("register"))(t), plugin)
			command.Dir = dir
			command.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			output, err := command.CombinedOutput()
			want := "exit status 1"
			switch {
			case c.fails == "none) ":
				want = "<nil>"
			case strings.Contains(c.fails, "kill"):
				want = "signal: terminated"
			}
			check.Equal(t, fmt.Sprint(err), want, "the script ended with")
			for _, text := range c.says {
				check.True(t, strings.Contains(string(output), text), "does not say %q:\n%s", text, output)
			}
			for _, text := range c.lack {
				check.True(t, !strings.Contains(string(output), text), "says %q:\n%s", text, output)
			}
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text := check.Value(os.ReadFile(name))(t)
	return string(text)
}

// TestMake_UnknownTargetNamesHelp checks what a misspelt target says.
func TestMake_UnknownTargetNamesHelp(t *testing.T) {
	t.Parallel()
	wantRefused(t, exec.CommandContext(t.Context(), "make", "-C", "..", "buidl"), `(?m)^make: there is no target buidl: see make help$`)
	if said, err := exec.CommandContext(t.Context(), "make", "-Bn", "-C", "..", "lint").CombinedOutput(); err != nil {
		t.Errorf("make -B: %v\n%s", err, said)
	}
}

// TestMake_UnknownVariableRefused checks that a misspelt variable is not taken for none.
func TestMake_UnknownVariableRefused(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"FUZ", "fuzz"} {
		wantRefused(t, exec.CommandContext(t.Context(), "make", "-C", "..", "-n", "fuzz", wrong+"=1"), "there is no variable "+wrong+": see make help")
	}
	for _, known := range []string{"FUZZ=1", "DEPTH=2", "VAULT_FULL=1", "GOFLAGS=-mod=mod", `LOAD=-quick -o x`} {
		if said, err := exec.CommandContext(t.Context(), "make", "-C", "..", "-n", "fuzz", known).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", known, err, said)
		}
	}
}

// TestMake_VersionRefused checks that nothing is built whose version is none, as with a variable that is empty.
func TestMake_VersionRefused(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "1", "0.1.0", "v0.1", "vX.Y.Z"} {
		wantRefused(t, exec.CommandContext(t.Context(), "make", "-C", "..", "-n", "build", "VERSION="+version),
			`VERSION is "`+version+`": want vX\.Y\.Z, such as v\d+\.\d+\.\d+, in the file VERSION`)
	}
}

// TestMake_SoakRefused checks that nothing is built for a time that is none.
func TestMake_SoakRefused(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "10", "m", "10minutes", "10m5", ".m", "-1m"} {
		wantRefused(t, exec.CommandContext(t.Context(), "make", "-C", "..", "-n", "soak", "SOAK="+wrong), `SOAK is a time such as 10m, not "`+wrong+`"`)
	}
	for _, right := range []string{"200s", "1.5h", "1h30m"} {
		said, err := exec.CommandContext(t.Context(), "make", "-C", "..", "-n", "soak", "SOAK="+right).CombinedOutput()
		check.True(t, err == nil && strings.Contains(string(said), "-soak "+right), "%v: %s", err, said)
	}
}

// TestBenchcmp_CommitRefused checks that make builds nothing to compare with a commit that there is not.
func TestBenchcmp_CommitRefused(t *testing.T) {
	t.Parallel()
	wantRefused(t, exec.CommandContext(t.Context(), "make", "-sB", "-C", "..", "benchcmp", "BASE=no-such-commit"), `(?m)\Abenchcmp: no-such-commit is no commit$`)
	wantRefused(t, exec.CommandContext(t.Context(), "make", "-sB", "-C", "..", "benchcmp", "COUNT=0"), `\AError: ROUNDS is .*, not '0'\n`)
}

// TestMake_VaultOfTheShellIsLeftOut checks that what the targets start does not see the Vault that the shell is set up for.
func TestMake_VaultOfTheShellIsLeftOut(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "make", "-s", "-C", "..", "-f", "-", "environment")
	command.Stdin = strings.NewReader("include Makefile\nenvironment:\n\t@env\n")
	command.Env = append(os.Environ(), "VAULT_CACERT=/nofile", "VAULT_NAMESPACE=other", "VAULT_TOKEN=other", "BAO_ADDR=other", "VAULT_BIN=kept")
	said, err := command.CombinedOutput()
	check.Require(t, err == nil, "%v: %s", err, said)
	if got := regexp.MustCompile(`(?m)^(VAULT|BAO)_.*$`).FindAllString(string(said), -1); len(got) != 1 || got[0] != "VAULT_BIN=kept" {
		t.Errorf("the commands of make are given %q, want VAULT_BIN alone", got)
	}
}

// TestRegister_NoexecNamed gives the script an executable file on a file system that executes none.
func TestRegister_NoexecNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unshare := func(command string) *exec.Cmd {
		return exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", "mount -t tmpfs -o noexec none "+dir+" && "+command)
	}
	if said, err := unshare("true").CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, said)
	}
	wantRefused(t, unshare("install -m 0755 register "+dir+"/plugin && ./register "+dir+"/plugin"),
		"^register: "+dir+"/plugin is executable, but its file system is mounted noexec: see findmnt -T "+dir+"/plugin\n$")
}

// TestRegister_RunsUnderSh starts the script with a shell that is not bash.
func TestRegister_RunsUnderSh(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("dash")
	if err != nil {
		sh = "sh" // bash, on some systems
	}
	for _, shell := range []string{sh, "bash"} {
		said, err := exec.CommandContext(t.Context(), shell, "register", "-help").CombinedOutput()
		check.True(t, err == nil && strings.HasPrefix(string(said), "Usage: scripts/register "), "%s register -help: %v: %s", shell, err, said)
	}
}
