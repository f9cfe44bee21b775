// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package scripts_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestDocuments_UnsetVariableStopsCommand checks that each block of commands writes ${NAME:?} where it first uses a variable that the
// block does not set, or sets to what a command prints: a command must not run with an empty file name, checksum or token_id.
func TestDocuments_UnsetVariableStopsCommand(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```(console|sh)\n(.*?)^```")
	checked := 0
	for _, file := range documents(t) {
		for _, block := range blocks.FindAllStringSubmatch(read(t, file), -1) {
			for _, name := range unguarded(commands(block[1], block[2])) {
				t.Errorf("%s: $%s may be empty: write ${%s:?}", file, name, name)
			}
			checked += strings.Count(block[2], ":?}")
		}
	}
	check.True(t, checked >= 20, "only %d variables are written so: the blocks were not found", checked)
}

// TestDocuments_PastedCommandsDoNoHarm checks what happens to a person who pastes a block whole, or in a terminal where something
// else came before: no later line of the block is read as the secret, the secret of one account does not go to the host of
// another, the names of one mount are not used on another, no policy of another owner is replaced, and no mount is disabled after
// a revocation that was refused. Nor is a secret on the command line, where others on the machine see it.
func TestDocuments_PastedCommandsDoNoHarm(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```console\n(.*?)^```")
	secrets, policies, fromElsewhere := 0, 0, 0
	names := []string{"token", "access_token"}
	for _, c := range (upstream.Account{}).Credentials() {
		if c.Secret {
			names = append(names, c.Name)
		}
	}
	given := regexp.MustCompile(`\b(?:` + strings.Join(names, "|") + `)=(\S*)`)
	for _, file := range documents(t) {
		for _, block := range blocks.FindAllStringSubmatch(read(t, file), -1) {
			typed := strings.ReplaceAll(commands("console", block[1]), "\\\n", " ")
			for command := range strings.Lines(typed) {
				if strings.Contains(command, "printf %s") && strings.Contains(command, "vault write mastersindia/config") {
					secrets++
					check.True(t, strings.Contains(command, "read -rsp "), "%s: takes a secret that another command has read: %s", file, command)
				}
				for _, value := range given.FindAllStringSubmatch(command, -1) {
					fromElsewhere++
					check.True(t, value[1] == "-" || strings.HasPrefix(value[1], "@"), "%s: others can see the secret of: %s", file, command)
				}
				if _, policy, found := strings.Cut(command, "vault policy write "); found {
					policies++
					check.True(t, strings.HasPrefix(policy, "mastersindia-"), "%s: may replace a policy of that name: %s", file, command)
				}
			}
			_, after, _ := strings.Cut(typed, "read -rsp ")
			check.True(t, strings.Count(after, "\n") <= 1, "%s: a prompt may take a later line of its block for the secret:\n%s", file, typed)
			check.True(t, !strings.Contains(typed, "=$(vault list") || strings.Count(typed, "mastersindia") == 1,
				"%s: names the mount twice: for another mount, a line that is not edited uses the names of this one:\n%s", file, typed)
			check.True(t, !strings.Contains(typed, "vault secrets disable") || !strings.Contains(typed, "revoke/"),
				"%s: disables the mount though a revocation failed:\n%s", file, typed)
			check.True(t, !strings.Contains(typed, "paused=true") || !strings.Contains(typed, "paused=false"),
				"%s: pauses and resumes:\n%s", file, typed)
		}
	}
	check.True(t, secrets >= 5 && policies >= 1 && fromElsewhere >= 10, "only %d secrets, %d policies and %d secret fields: the blocks were not found",
		secrets, policies, fromElsewhere)
}

// documents are all that have commands to be typed.
func documents(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/*.md", "../examples/*/*.md"} {
		found := check.Value(filepath.Glob(pattern))(t)
		files = append(files, found...)
	}
	return files
}

// TestFirstTime_FailureShowsInExitCode runs the line that reads a token: without a Vault token it sends nothing, and it fails where
// Vault refuses.
func TestFirstTime_FailureShowsInExitCode(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^\$ (TOKEN=.*\\\n.*curl .*)$`).FindStringSubmatch(read(t, "../docs/first-time.md"))
	check.Require(t, line != nil, "the line was not found")
	var requests atomic.Int64
	vault := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("X-Vault-Token") != "hvs.invented" {
			http.Error(rw, `{"errors":["permission denied"]}`, http.StatusForbidden)
		}
	}))
	defer vault.Close()
	for token, want := range map[string]struct {
		code     int
		requests int64
	}{"VAULT_TOKEN=": {1, 0}, "VAULT_TOKEN=hvs.other": {22, 1}, "VAULT_TOKEN=hvs.invented": {0, 1}} {
		requests.Store(0)
		command := exec.CommandContext(t.Context(), "bash", "-c", line[1])
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + vault.URL, token}
		said, _ := command.CombinedOutput() // the exit code is compared
		if command.ProcessState.ExitCode() != want.code || requests.Load() != want.requests {
			t.Errorf("%s: exit code %d after %d requests, want %d after %d:\n%s", token, command.ProcessState.ExitCode(), requests.Load(),
				want.code, want.requests, said)
		}
	}
}

// commands leaves out what a console block shows of the output, and the texts that commands are given.
func commands(kind, block string) string {
	var kept strings.Builder
	end, continued := "", false
	for line := range strings.Lines(block) {
		switch {
		case end != "":
			if strings.TrimSpace(line) == end {
				end = ""
			}
			continue
		case kind == "console" && !continued && !strings.HasPrefix(line, "$ "):
			continue
		}
		_, end, _ = strings.Cut(strings.TrimSpace(line), "<<'")
		end, _, _ = strings.Cut(end, "'")
		continued = strings.HasSuffix(line, "\\\n")
		kept.WriteString(line)
	}
	return kept.String()
}

// unguarded returns the variables that commands use and that may be empty there, where they do not say what then: ${NAME:?},
// ${NAME:-else} and ${NAME:+then} do.
func unguarded(commands string) []string {
	var names []string
	safe := map[string]bool{"PWD": true, "HOME": true, "PATH": true}
	parts := regexp.MustCompile(`(?:^|[\s;(])([A-Z_]+)=(\$\()?|\bread -\w+(?: '[^']*')? ([A-Z_]+)|\bfor ([A-Z_]+) in|\$\{?([A-Z_]+)(:[?+-])?`)
	for _, part := range parts.FindAllStringSubmatch(commands, -1) {
		switch set, used := part[1]+part[3]+part[4], part[5]; {
		case set != "":
			safe[set] = part[2] == ""
		case !safe[used] && part[6] == "":
			names = append(names, used)
		default:
			safe[used] = true
		}
	}
	return names
}

// TestScripts_PipesAreReadToTheirEnd: where a pipeline fails with any of its commands, grep -q and head end the one before it by chance.
func TestScripts_PipesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	early := regexp.MustCompile(`\| *(grep -\w*[qm]|head)`)
	for _, file := range append(check.Value(filepath.Glob("get-*"))(t), "../.ci/run", "register", "fuzz", "bench", "benchcmp", "matrix", "reproduce") {
		check.True(t, !early.MatchString(read(t, file)), "%s: %s", file, early.FindString(read(t, file)))
	}
}

// TestExamples_AreSafe: no example turns the verification of certificates off, or gives or destroys more than it says.
func TestExamples_AreSafe(t *testing.T) {
	t.Parallel()
	off := regexp.MustCompile(`(?i)(skip[-_]?(tls[-_]?)?verify|tls[-_]skip[-_]verify|insecure)\w*["']?\s*[:=]\s*"?(true|1)`)
	for _, pattern := range []string{"../examples/kubernetes/*", "../examples/agent/*", "../examples/terraform/*", "../examples/monitoring/*.yml"} {
		for _, file := range check.Value(filepath.Glob(pattern))(t) {
			text := string(check.Value(os.ReadFile(file))(t))
			check.True(t, !off.MatchString(text), "%s turns the verification of certificates off: %s", file, off.FindString(text))
		}
	}
	check.True(t, strings.Contains(read(t, "../examples/terraform/main.tf"), "prevent_destroy = true"), "terraform destroy would remove the mount with all accounts")
	check.True(t, strings.Contains(read(t, "../examples/kubernetes/agent-injector.yaml"), `agent-inject-perms-header: "0400"`), "the file of the injector")
	mounts := regexp.MustCompile(`(?s)path "sys/mounts/\+" \{\s*capabilities = \[([^\]]*)\]`).FindStringSubmatch(read(t, "../examples/policies/installer.hcl"))
	check.True(t, len(mounts) == 2 && mounts[1] == `"read"`, "the installer may %v mounts of others", mounts)
}
