// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

type auditRun struct {
	code            int
	stdout, stderr  string
	given, possible []string // identities, sorted
}

// audit runs the report over files with this environment, and the token on standard input.
func (w *testVault) audit(t *testing.T, env []string, token string, args ...string) (r auditRun) {
	t.Helper()
	found := findBinaries(t)
	command := exec.CommandContext(t.Context(), found.Audit, args...)
	command.Env, command.Stdin = env, strings.NewReader(token)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil && command.ProcessState.ExitCode() != 3 {
		t.Fatalf("mastersindia-audit %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	for _, output := range [][]byte{stdout.Bytes(), stderr.Bytes()} {
		for _, leaked := range slices.Concat(w.secrets.SearchText("the report", output), w.tokens.SearchText("the report", output)) {
			t.Errorf("leaked: %s", leaked)
		}
	}
	return auditRun{code: command.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// trace searches a leaked token, and returns the display names of its readers.
func (w *testVault) trace(t *testing.T, env []string, token string, files ...string) auditRun {
	t.Helper()
	r := w.audit(t, env, token, append([]string{"-format=json", "-token-file=-"}, files...)...)
	var report struct {
		Receivers, Possible []struct {
			Name string `json:"who"`
		}
	}
	check.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	for _, reader := range report.Receivers {
		r.given = append(r.given, reader.Name)
	}
	for _, reader := range report.Possible {
		r.possible = append(r.possible, reader.Name)
	}
	for _, names := range []*[]string{&r.given, &r.possible} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return r
}

// entity creates a user with an entity, and returns their Vault token.
func (w *testVault) entity(t *testing.T, name, policy string) string {
	t.Helper()
	password := canary("password of " + name)
	check.NoError(t, w.secrets.Add("password of "+name, password))
	check.Value(w.CLI.Must(t.Context(), password, "write", "auth/userpass/users/"+name, "policies="+policy, "password=-"))(t)
	token := check.Value(w.CLI.Must(t.Context(), password, "write", "-field=token", "auth/userpass/login/"+name, "password=-"))(t)
	return strings.TrimSpace(token)
}

func (w *testVault) readAs(t *testing.T, vaultToken, role string, flags ...string) harness.Secret {
	t.Helper()
	args := append(append([]string{"read", "-format=json"}, flags...), "mastersindia/token/"+role)
	out := check.Value(w.CLI.As(vaultToken).Must(t.Context(), "", args...))(t)
	return check.Value(harness.ParseSecret(out))(t)
}

// leakScript plays what the report is about on a cluster of three nodes with two audit devices.
type leakScript struct {
	*testCluster

	t      *testing.T
	people map[string]string // Vault tokens by display name
	names  []string
	// had are the receivers of each upstream token, as the script knows them.
	had      map[string]map[string]bool
	accesses int
	mount    string // the untuned one: it is moved
	files    []string
	removed  []string // of the device that was enabled anew
}

// must runs a command as the holder of a Vault token, with text on its standard input.
func (s *leakScript) must(vaultToken, stdin string, args ...string) string {
	s.t.Helper()
	out := check.Value(s.CLI.As(vaultToken).Must(s.t.Context(), stdin, args...))(s.t)
	s.accesses++
	return strings.TrimSpace(out)
}

func (s *leakScript) read(mount, name string) string {
	s.t.Helper()
	out := s.must(s.people[name], "", "read", "-field=access_token", mount+"token/app")
	s.receive(out, name)
	return out
}

func (s *leakScript) receive(token, name string) {
	if s.had[token] == nil {
		s.had[token] = map[string]bool{}
	}
	s.had[token][name] = true
}

// wrap reads the role of a mount wrapped as one, has it wrapped anew as often as asked, and unwraps it as another. Without a reader,
// the wrapping token itself is the Vault token that unwraps.
func (s *leakScript) wrap(mount, asker, rewrapper, reader string) {
	s.t.Helper()
	wrapping := s.must(s.people[asker], "", "read", "-wrap-ttl=120s", "-field=wrapping_token", mount+"token/app")
	if rewrapper != "" {
		wrapping = s.must(s.people[rewrapper], "", "write", "-field=wrapping_token", "sys/wrapping/rewrap", "token="+wrapping)
	}
	if reader == "" {
		s.receive(s.must(wrapping, "", "unwrap", "-field=access_token"), "holder of the wrapping token")
		return
	}
	s.receive(s.must(s.people[reader], "", "unwrap", "-field=access_token", wrapping), reader)
}

// handOver has one wrap a token as a text of another name, and another unwrap it.
func (s *leakScript) handOver(token, from, to string) {
	s.t.Helper()
	wrapping := s.must(s.people[from], token, "write", "-wrap-ttl=120s", "-field=wrapping_token", "sys/wrapping/wrap", "note=-")
	s.receive(s.must(s.people[to], "", "unwrap", "-field=note", wrapping), to)
}

// nextNode has another node lead, which writes logs of its own.
func (s *leakScript) nextNode() {
	s.t.Helper()
	leader := s.leader(s.t)
	for _, device := range []string{s.AuditLog(), s.file("second.log")} {
		name := s.file(fmt.Sprintf("%s-%d", filepath.Base(device), len(s.files)))
		check.NoError(s.t, os.Rename(device, name))
		s.files = append(s.files, name)
	}
	client := check.Value(leader.Client(s.Token))(s.t)
	check.NoError(s.t, client.Sys().StepDownWithContext(s.t.Context()))
	check.Eventually(s.t, time.Minute, "no other node became the leader", func() bool {
		now, err := s.cluster.Active(s.t.Context())
		return err == nil && now != nil && now != leader
	})
	check.NoError(s.t, s.cluster.WaitForwarding(s.t.Context()))
}

// lead runs a command on the node that leads: a standby of OpenBao does not hand on those about audit devices.
func (s *leakScript) lead(args ...string) {
	s.t.Helper()
	check.Value(s.leader(s.t).CLI.Must(s.t.Context(), "", args...))(s.t)
}

// enter makes twelve people: eight with an entity, two with batch tokens and two with service tokens, which have none.
func (s *leakScript) enter() {
	s.t.Helper()
	reader := s.policy(s.t, "reader", `path "+/token/app" { capabilities = ["read"] }
		path "sys/wrapping/rewrap" { capabilities = ["update"] }`)
	s.vault(s.t, "auth", "enable", "userpass")
	for n := range 12 {
		name := fmt.Sprintf("person%d", n)
		if n < 8 {
			s.people["userpass-"+name] = s.entity(s.t, name, reader)
			continue
		}
		kind := map[bool]string{true: "batch", false: "service"}[n < 10]
		s.people["token-"+name] = strings.TrimSpace(s.vault(s.t, "token", "create", "-field=token", "-orphan", "-type="+kind,
			"-display-name="+name, "-policy="+reader))
	}
	s.names = slices.Sorted(maps.Keys(s.people))
}

// play makes forty accesses and more to three upstream tokens of the untuned mount, which is moved, and one of the tuned mount, under
// three leaders, and returns the tokens.
func (s *leakScript) play() (tokens [4]string) {
	s.t.Helper()
	for n := range 8 {
		tokens[0] = s.read(s.mount, s.names[n%4])
		tokens[3] = s.read("tuned/", s.names[4+n%3])
	}
	s.wrap(s.mount, s.names[4], "", s.names[5])
	s.wrap(s.mount, s.names[6], s.names[4], s.names[7])
	s.vault(s.t, "write", "-f", "mastersindia/rotate/main")
	s.nextNode()
	for n := range 14 {
		tokens[1] = s.read(s.mount, s.names[3+n%6])
	}
	s.wrap(s.mount, s.names[0], s.names[1], s.names[11])
	s.handOver(tokens[1], s.names[3], s.names[10])
	s.lead("audit", "disable", "second")
	check.NoError(s.t, os.Rename(s.file("second.log"), s.file("removed.log")))
	s.removed = append(s.removed, s.file("removed.log"))
	s.lead("audit", "enable", "-path=second", "file", "file_path="+s.file("second.log"))
	s.vault(s.t, "write", "mastersindia/config/main", "rotation_percent=50") // the rotation above is too new for another one
	s.vault(s.t, "write", "-f", "mastersindia/revoke/main")
	for n := range 4 {
		tokens[2] = s.read(s.mount, s.names[n])
	}
	s.nextNode()
	s.vault(s.t, "secrets", "move", "mastersindia/", "moved/")
	s.mount = "moved/"
	for n := range 4 {
		tokens[2] = s.read(s.mount, s.names[8+n])
	}
	s.wrap(s.mount, s.names[2], "", s.names[6])
	s.wrap(s.mount, s.names[2], s.names[3], "")
	s.wrap("tuned/", s.names[2], "", s.names[9])
	return tokens
}

// TestAuditReport_NamesReceivers leaks three tokens of one mount and one of another, and has the report name exactly those who were given each.
func TestAuditReport_NamesReceivers(t *testing.T) {
	t.Parallel()
	s := &leakScript{
		testCluster: newTestCluster(t, harness.Patient), t: t, people: map[string]string{}, had: map[string]map[string]bool{}, mount: "mastersindia/",
	}
	s.app(t, simulator.JWT)
	s.vault(t, "audit", "enable", "-path=second", "file", "file_path="+s.file("second.log"))
	s.vault(t, "secrets", "enable", "-path=tuned", harness.PluginName)
	s.vault(t, "secrets", "tune", "-audit-non-hmac-response-keys=token_id", "-audit-non-hmac-response-keys=issued_at", "tuned/")
	s.vault(t, "secrets", "tune", "-audit-non-hmac-response-keys=issued_at", "mastersindia/") // else when it was issued is not known
	other := s.account(t, simulator.JWT)
	stdin, args := s.configCommand(t, "main", other)
	args[slices.Index(args, "mastersindia/config/main")] = "tuned/config/main"
	check.Value(s.CLI.Must(t.Context(), stdin, args...))(t)
	s.vault(t, "write", "tuned/role/app", "config=main")
	s.enter()
	tokens := s.play()
	check.Require(t, s.accesses >= 40 && len(s.had) == len(tokens) && tokens[0] != tokens[1] && tokens[1] != tokens[2],
		"the script made %d accesses to %d tokens", s.accesses, len(s.had))
	files := slices.Concat(s.files, s.removed, []string{s.AuditLog(), s.file("second.log")})
	env := []string{"VAULT_ADDR=" + s.Addr, "VAULT_TOKEN=" + s.Token}
	for n, token := range tokens {
		want := slices.Sorted(maps.Keys(s.had[token]))
		got := s.trace(t, env, token, files...)
		check.True(t, slices.Equal(got.given, want) && len(got.possible) == 0 && got.code == 0,
			"token %d: want %q and exit code 0, got %q, possible %q, exit code %d", n, want, got.given, got.possible, got.code)
		t.Logf("token %d was given to %d of 12 people: exit code %d, %q", n, len(want), got.code, got.given)
	}
	for _, tuned := range []bool{true, false} { // what is shown needs no Vault, what is hidden cannot be judged without it
		got := s.trace(t, nil, tokens[map[bool]int{true: 3, false: 0}[tuned]], files...)
		check.True(t, tuned != (len(got.given) == 0) && got.code == 3,
			"without Vault, tuned %t: got %q, possible %q, exit code %d", tuned, got.given, got.possible, got.code)
	}
	s.wantUnknown(tokens[0], env)
	s.wantSame(tokens[1], env, files)
}

// wantUnknown checks that files of the device that was enabled anew clear nobody.
func (s *leakScript) wantUnknown(token string, env []string) {
	s.t.Helper()
	want := slices.Sorted(maps.Keys(s.had[token]))
	got := s.trace(s.t, env, token, s.files[1])
	check.True(s.t, len(got.given) == 0 && got.code == 3 && slices.Equal(got.possible, want),
		"with a salt of before: want exit code 3 and %q as possible, got %d, %q, %q", want, got.code, got.given, got.possible)
	got = s.trace(s.t, nil, token, s.files[0])
	check.True(s.t, len(got.given) == 0 && got.code == 3 && slices.Equal(got.possible, want),
		"without Vault: want exit code 3 and %q as possible, got %d, %q, %q", want, got.code, got.given, got.possible)
}

// wantSame checks that the order of files, copies and compression change nothing.
func (s *leakScript) wantSame(token string, env, files []string) {
	s.t.Helper()
	report := func(files []string) string {
		return s.audit(s.t, env, token, append([]string{"-token-file=-"}, files...)...).stdout
	}
	want := report(files)
	orders := 0
	for n := range files {
		order := slices.Concat(files[n:], files[:n])
		for range 2 {
			check.Equal(s.t, report(order), want, "another report for the order %q", order)
			orders++
			slices.Reverse(order)
		}
	}
	zipped := make([]string, len(files))
	for n, name := range files {
		text := check.Value(os.ReadFile(name))(s.t)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		check.Value(z.Write(text))(s.t)
		check.NoError(s.t, z.Close())
		zipped[n] = s.file(fmt.Sprintf("packed-%d.gz", n))
		check.NoError(s.t, os.WriteFile(zipped[n], packed.Bytes(), 0o600))
	}
	for what, others := range map[string][]string{"gzipped": zipped, "doubled": slices.Concat(files, files), "both": slices.Concat(zipped, files)} {
		check.Equal(s.t, report(others), want, "another report of %s files", what)
	}
	s.t.Logf("%d orders, gzipped and doubled files: the same %d bytes; %d accesses", orders, len(want), s.accesses)
}

// TestAuditReport_DocumentedTuningShowsNoSecret makes requests with every tuned key, before and after the command of
// docs/audit.md. That no secret and no token is in the log is looked for at the end of every test.
func TestAuditReport_DocumentedTuningShowsNoSecret(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.account(t, simulator.JWT)
	command := documentedTuning(t)
	w.useEverything(t, account, "before")
	before := w.logged(t)
	shell := exec.CommandContext(t.Context(), "bash", "-euc", strings.ReplaceAll(command, "vault secrets", `"$VAULT_BINARY" secrets`))
	shell.Env = w.CLI.Env("VAULT_BINARY=" + w.VaultBinary())
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.useEverything(t, account, "after")
	all := w.logged(t)
	keys := regexp.MustCompile(`-audit-non-hmac-(request|response)-keys=(\w+)`).FindAllStringSubmatch(command, -1)
	check.Require(t, len(keys) >= 15, "the document tunes only %q", keys)
	for _, key := range keys {
		name := key[1] + " " + key[2]
		if seen := before[name]; len(seen) == 0 || slices.ContainsFunc(seen, isClear) && (!w.OpenBao() || !areTimes(seen)) {
			t.Errorf("%s before the tuning: want HMACs, got %q", name, seen)
		}
		after := all[name][len(before[name]):]
		check.True(t, len(after) != 0 && slices.ContainsFunc(after, isClear) && !slices.ContainsFunc(after, func(v string) bool { return !isClear(v) }),
			"%s after the tuning: want clear text, got %q", name, after)
	}
	for _, name := range []string{"request password", "request client_secret", "response access_token", "response authorization"} {
		if seen := all[name]; len(seen) == 0 || slices.ContainsFunc(seen, isClear) {
			t.Errorf("%s: want HMACs only, got %d values, of which some are clear", name, len(seen))
		}
	}
	if !t.Failed() {
		t.Logf("%d keys are shown in clear, and no secret", len(keys))
	}
}

func isClear(value string) bool { return !strings.HasPrefix(value, "hmac-sha256:") }

// areTimes tells whether all values are times, which OpenBao never hashes.
func areTimes(values []string) bool {
	return !slices.ContainsFunc(values, func(value string) bool {
		_, err := time.Parse(time.RFC3339, value)
		return err != nil
	})
}

func documentedTuning(t *testing.T) string {
	t.Helper()
	for _, c := range commandsOf(t, filepath.Join("..", "docs", "audit.md")) {
		if strings.HasPrefix(c.command, "vault secrets tune") {
			return c.command
		}
	}
	t.Fatal("docs/audit.md has no command that tunes the mount")
	return ""
}

// useEverything makes requests in which every key is, with names that end in suffix.
func (w *testVault) useEverything(t *testing.T, account simulator.Account, suffix string) {
	t.Helper()
	config, role := "main-"+suffix, "app-"+suffix
	w.writeConfig(t, config, account, "username="+account.Username, "refresh_url="+w.upstream.url+"/api/v2/api-token-refresh/")
	oauth := w.account(t, simulator.OAuth)
	w.writeConfig(t, "oauth-"+suffix, oauth, "verify_connection=false", "allow_http=false", "proxy_url=http://127.0.0.1:9",
		"paused=true", "pause_reason=maintenance")
	check.Value(w.CLI.Must(t.Context(), "never-used-password", "write", "mastersindia/config/preset-"+suffix,
		"preset=einvoice-production", "username=somebody", "password=-", "verify_connection=false"))(t)
	w.writeRole(t, role, config, "max_ttl=10m", "lease=true")
	id := w.readToken(t, role).String("token_id")
	w.vault(t, "write", "mastersindia/token/"+role, "rejected_token_id="+id)
	w.refused(t, "read", "mastersindia/token/not-there")
	w.vault(t, "write", "-f", "mastersindia/rotate/"+config)
	w.vault(t, "write", "mastersindia/revoke/"+config, "token_id="+id)
	w.vault(t, "write", "-f", "mastersindia/revoke/"+config)
}

// logged are the texts of the mount's entries by "request" or "response" and key, in the order of the log. Empty texts are left
// out: their HMAC is no secret, and nothing is to be seen of them in clear.
func (w *testVault) logged(t *testing.T) map[string][]string {
	t.Helper()
	text := readFile(t, w.AuditLog())
	all := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		var e struct {
			Type    string
			Request struct {
				Mount string `json:"mount_point"`
				Data  any
			}
			Response struct{ Data any }
		}
		check.NoError(t, json.Unmarshal([]byte(line), &e))
		if e.Request.Mount != "mastersindia/" || e.Type != "response" {
			continue
		}
		collect(all, "request", "", e.Request.Data)
		collect(all, "response", "", e.Response.Data)
	}
	return all
}

func collect(all map[string][]string, where, key string, value any) {
	switch v := value.(type) {
	case string:
		if v != "" {
			all[where+" "+key] = append(all[where+" "+key], v)
		}
	case map[string]any:
		for k, inner := range v {
			collect(all, where, k, inner)
		}
	default:
	}
}
