// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

// auditReport is what the tests look at of a report in JSON.
type auditReport struct {
	Notices []string `json:"notices"`
	Alarms  []struct {
		Message string `json:"message"`
	} `json:"alarms"`
	Input struct {
		Entries            int `json:"entries"`
		Garbage            int `json:"garbage"`
		RequestsUnanswered int `json:"requests_without_response"`
		ResponsesAlone     int `json:"responses_without_request"`
	} `json:"input"`
	Summary struct {
		Given   int `json:"given"`
		Denied  int `json:"denied"`
		Refused int `json:"refused"`
	} `json:"summary"`
	Readings []auditReading `json:"readings"`
	Refusals []struct {
		Who     auditWho `json:"who"`
		Outcome string   `json:"outcome"`
		Path    string   `json:"path"`
		Error   string   `json:"error"`
	} `json:"refusals"`
	Objects []struct {
		Path    string       `json:"path"`
		By      auditWho     `json:"by"`
		Deleted bool         `json:"deleted"`
		Fields  []auditField `json:"fields"`
	} `json:"objects"`
	Revocations []struct {
		TokenID   string   `json:"token_id"`
		Upstream  string   `json:"upstream"`
		Receivers []string `json:"receivers"`
	} `json:"revocations"`
	Leak *struct {
		TokenID   string         `json:"token_id"`
		Checked   []string       `json:"checked"`
		Unchecked []string       `json:"unchecked"`
		Receivers []auditReading `json:"receivers"`
		Possible  []auditReading `json:"possible"`
	} `json:"leak"`
}

type auditWho struct {
	DisplayName  string `json:"display_name"`
	EntityID     string `json:"entity_id"`
	AuthMethod   string `json:"auth_method"`
	AuthAccessor string `json:"auth_accessor"`
	Policies     string `json:"policies"`
}

type auditReading struct {
	Who   auditWho `json:"who"`
	Kind  string   `json:"kind"`
	Role  string   `json:"role"`
	Token struct {
		ID   string `json:"token_id"`
		HMAC string `json:"token_hmac"`
	} `json:"token"`
	Count     int      `json:"count"`
	LastLease string   `json:"last_lease"`
	Remote    []string `json:"remote"`
}

type auditField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden"`
	Secret bool   `json:"secret"`
}

// audit runs the report over the world's audit log with this environment, and the token on standard input.
func (w *world) audit(t *testing.T, env []string, token string, args ...string) []byte {
	t.Helper()
	found, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), found.Audit, append(args, w.AuditLog())...)
	command.Env, command.Stdin = env, strings.NewReader(token)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("mastersindia-audit %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	for _, output := range [][]byte{stdout.Bytes(), stderr.Bytes()} {
		for _, leaked := range slices.Concat(w.secrets.SearchText("the report", output), w.tokens.SearchText("the report", output)) {
			t.Errorf("leaked: %s", leaked)
		}
	}
	return stdout.Bytes()
}

func (w *world) auditJSON(t *testing.T, env []string, token string, args ...string) *auditReport {
	t.Helper()
	report := new(auditReport)
	if err := json.Unmarshal(w.audit(t, env, token, append([]string{"-format=json"}, args...)...), report); err != nil {
		t.Fatal(err)
	}
	return report
}

// wantReceivers checks that the leaked token is traced to exactly these, each known by entity and auth method.
func (r *auditReport) wantReceivers(t *testing.T, want ...string) {
	t.Helper()
	if r.Leak == nil {
		t.Fatal("the report tells nothing of the leaked token")
	}
	got := []string{}
	for _, reading := range r.Leak.Receivers {
		got = append(got, reading.Who.DisplayName)
		if reading.Who.EntityID == "" || reading.Who.AuthMethod == "" || reading.Who.AuthAccessor == "" || len(reading.Remote) == 0 {
			t.Errorf("%s: want entity, auth method, its accessor and remote address, got %+v", reading.Who.DisplayName, reading)
		}
		if !strings.HasPrefix(reading.LastLease, "mastersindia/token/app/") {
			t.Errorf("%s: the lease is %q", reading.Who.DisplayName, reading.LastLease)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("token %s is traced to %q, want %q (looked for: %q, not: %q)", r.Leak.TokenID, got, want, r.Leak.Checked, r.Leak.Unchecked)
	}
}

// entity makes somebody with an entity, and returns a Vault token of theirs.
func (w *world) entity(t *testing.T, name, policy string) string {
	t.Helper()
	password := canary("password of " + name)
	if err := w.secrets.Add("password of "+name, password); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CLI.Must(t.Context(), password, "write", "auth/userpass/users/"+name, "policies="+policy, "password=-"); err != nil {
		t.Fatal(err)
	}
	token, err := w.CLI.Must(t.Context(), password, "write", "-field=token", "auth/userpass/login/"+name, "password=-")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(token)
}

// readAs reads a role as somebody.
func (w *world) readAs(t *testing.T, vaultToken, role string, flags ...string) harness.Secret {
	t.Helper()
	args := append(append([]string{"read", "-format=json"}, flags...), "mastersindia/token/"+role)
	out, err := w.CLI.As(vaultToken).Must(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := harness.ParseSecret(out)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

//nolint:tparallel // the parts are steps of one story
func TestALeakedTokenIsTracedToThoseWhoWereGivenIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app(t, simulator.JWT)
	w.vault(t, "auth", "enable", "userpass")
	reader := w.policy(t, "app", `path "mastersindia/token/app" { capabilities = ["read"] }`)
	operator := w.policy(t, "operator", `path "mastersindia/*" { capabilities = ["create", "read", "update", "list"] }`)
	asha, bina := w.entity(t, "asha", reader), w.entity(t, "bina", reader)
	chitra, omar := w.entity(t, "chitra", "default"), w.entity(t, "omar", operator)
	withVault, alone := []string{"VAULT_ADDR=" + w.Addr, "VAULT_TOKEN=" + w.Token}, []string{"PATH=" + os.Getenv("PATH")}

	first := w.readAs(t, asha, "app").String("access_token")
	w.readAs(t, bina, "app")
	if result, err := w.CLI.As(chitra).Run(t.Context(), "", "read", "mastersindia/token/app"); err != nil || result.Code == 0 {
		t.Fatalf("a reader without a policy was given the token (%v)", err)
	}
	if _, err := w.CLI.As(omar).Must(t.Context(), "", "write", "mastersindia/config/main", "request_timeout=20s"); err != nil {
		t.Fatal(err)
	}
	w.vault(t, "write", "-f", "mastersindia/rotate/main")
	second := w.readAs(t, asha, "app").String("access_token")
	if first == second {
		t.Fatal("the rotation did not replace the token")
	}

	t.Run("by audit-hash", func(t *testing.T) {
		w.auditJSON(t, withVault, first, "-token-stdin").wantReceivers(t, "userpass-asha", "userpass-bina")
		w.auditJSON(t, withVault, "Authorization: JWT "+second+"\n", "-token-stdin").wantReceivers(t, "userpass-asha")
		unknown := w.auditJSON(t, alone, first, "-token-stdin")
		unknown.wantReceivers(t)
		if said := strings.Join(unknown.Leak.Unchecked, "; "); !strings.Contains(said, "VAULT_ADDR") || !strings.Contains(said, "3 reads") {
			t.Errorf("without Vault the report says only %q", said)
		}
	})
	t.Run("what happened", func(t *testing.T) { w.wantStory(t, w.auditJSON(t, alone, "")) })
	t.Run("by token_id", func(t *testing.T) {
		w.vault(t, "secrets", "tune", "-audit-non-hmac-response-keys=token_id", "mastersindia/")
		w.vault(t, "write", "mastersindia/config/main", "rotation_percent=50") // The rotation above is too new for another one.
		w.vault(t, "write", "-f", "mastersindia/revoke/main")
		third := w.readAs(t, bina, "app")
		report := w.auditJSON(t, alone, third.String("access_token"), "-token-stdin")
		report.wantReceivers(t, "userpass-bina")
		if report.Leak.TokenID != third.String("token_id") {
			t.Errorf("the report calls the token %s, the engine %s", report.Leak.TokenID, third.String("token_id"))
		}
		if len(report.Alarms) > 0 {
			t.Errorf("there is nothing to be alarmed by, and still: %v", report.Alarms)
		}
	})
	t.Run("wrapped", func(t *testing.T) {
		wrapping := w.readAs(t, asha, "app", "-wrap-ttl=60s").WrapInfo.Token
		token := w.readAs(t, bina, "app").String("access_token")
		w.auditJSON(t, alone, token, "-token-stdin").wantReceivers(t, "userpass-bina")
		if _, err := w.CLI.As(omar).Must(t.Context(), "", "unwrap", wrapping); err != nil {
			t.Fatal(err)
		}
		w.auditJSON(t, alone, token, "-token-stdin").wantReceivers(t, "userpass-bina", "userpass-omar")
	})
	t.Run("revoked", func(t *testing.T) {
		report := w.auditJSON(t, withVault, "", "-audit-device=file")
		var had []string
		for _, r := range report.Revocations {
			had = append(had, strings.Join(r.Receivers, "+"))
		}
		slices.Sort(had)
		if want := []string{"userpass-asha", "userpass-asha+userpass-bina"}; !slices.Equal(had, want) {
			t.Errorf("the revoked tokens had been given to %q, want %q", had, want)
		}
	})
}

// wantStory checks what the report tells of the first part of the test above.
func (w *world) wantStory(t *testing.T, r *auditReport) {
	t.Helper()
	if r.Summary.Given != 3 || r.Summary.Denied != 1 || r.Input.Garbage != 0 {
		t.Errorf("want 3 tokens given and 1 request denied, got %+v, %+v", r.Summary, r.Input)
	}
	if r.Input.RequestsUnanswered != 0 || r.Input.ResponsesAlone != 0 {
		t.Errorf("entries lack their other half: %+v", r.Input)
	}
	if len(r.Refusals) != 1 || r.Refusals[0].Who.DisplayName != "userpass-chitra" || r.Refusals[0].Error != "permission denied" {
		t.Errorf("want chitra denied, got %+v", r.Refusals)
	}
	changed := false
	for _, o := range r.Objects {
		changed = changed || o.Path == "mastersindia/config/main" && o.By.DisplayName == "userpass-omar"
	}
	if !changed {
		t.Errorf("the change by omar is missing: %+v", r.Objects)
	}
	for _, format := range []string{"table", "csv", "html"} {
		if text := w.audit(t, nil, "", "-format="+format); !bytes.Contains(text, []byte("userpass-chitra")) {
			t.Errorf("-format=%s does not name who was denied:\n%s", format, text)
		}
	}
}

// TestTheDocumentedTuningShowsWhatHelpsAndNoSecret makes requests with every tuned key, before and after the command of
// docs/audit.md. That no secret and no token is in the log is looked for at the end of every test.
func TestTheDocumentedTuningShowsWhatHelpsAndNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
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
	if len(keys) < 15 {
		t.Fatalf("the document tunes only %q", keys)
	}
	for _, key := range keys {
		name := key[1] + " " + key[2]
		if seen := before[name]; len(seen) == 0 || slices.ContainsFunc(seen, isClear) {
			t.Errorf("%s before the tuning: want HMACs, got %q", name, seen)
		}
		after := all[name][len(before[name]):]
		if len(after) == 0 || !slices.ContainsFunc(after, isClear) || slices.ContainsFunc(after, func(v string) bool { return !isClear(v) }) {
			t.Errorf("%s after the tuning: want clear text, got %q", name, after)
		}
	}
	for _, name := range []string{
		"request password", "request client_secret", "response access_token", "response authorization",
	} {
		if seen := all[name]; len(seen) == 0 || slices.ContainsFunc(seen, isClear) {
			t.Errorf("%s: want HMACs only, got %d values, of which some are clear", name, len(seen))
		}
	}
	if !t.Failed() {
		t.Logf("%d keys are shown in clear, and no secret", len(keys))
	}
}

func isClear(value string) bool { return !strings.HasPrefix(value, "hmac-sha256:") }

// documentedTuning is the command of the document.
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
func (w *world) useEverything(t *testing.T, account simulator.Account, suffix string) {
	t.Helper()
	config, role := "main-"+suffix, "app-"+suffix
	w.writeConfig(t, config, account, "username="+account.Username, "refresh_url="+w.upstream.url+"/api/v2/api-token-refresh/")
	oauth := w.account(t, simulator.OAuth)
	w.writeConfig(t, "oauth-"+suffix, oauth, "verify_connection=false", "allow_http=false", "proxy_url=http://127.0.0.1:9",
		"paused=true", "pause_reason=maintenance")
	if _, err := w.CLI.Must(t.Context(), "never-used-password", "write", "mastersindia/config/preset-"+suffix,
		"preset=einvoice-production", "username=somebody", "password=-", "verify_connection=false"); err != nil {
		t.Fatal(err)
	}
	w.writeRole(t, role, config, "max_ttl=10m", "lease=true")
	id := w.readToken(t, role).String("token_id")
	w.vault(t, "write", "mastersindia/token/"+role, "rejected_token_id="+id)
	w.refused(t, "read", "mastersindia/token/not-there")
	w.vault(t, "write", "-f", "mastersindia/rotate/"+config)
	w.vault(t, "write", "mastersindia/revoke/"+config, "token_id="+id)
	w.vault(t, "write", "-f", "mastersindia/revoke/"+config)
}

// logged are the texts of the mount's entries by "request" or "response" and key, in the order of the log. Empty texts are left out:
// their HMAC is no secret, and nothing is to be seen of them in clear.
func (w *world) logged(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(w.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
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
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
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
