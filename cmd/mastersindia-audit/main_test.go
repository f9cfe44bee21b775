// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/sample"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
	"vault-plugin-secrets-mastersindia/internal/command"
)

// shown are the keys that docs/audit.md tunes, as far as the sample has them.
func shown() []string {
	return []string{"token_id", "config", "issued_at", "expires_at", "error", "upstream", "valid_until", "preset", "username", "token_url", "max_ttl"}
}

// logFile writes a log and returns its name.
func logFile(t *testing.T, fill func(*sample.Log), keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	l := sample.New(f, 1)
	l.Shown = keys
	fill(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a run of the program gave.
type result struct {
	code           int
	stdout, stderr string
}

func runWith(stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// must runs the program, which has to succeed.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := runWith(stdin, args...)
	if r.code != command.ExitOK {
		t.Fatalf("%q: exit code %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

func mustJSON(t *testing.T, stdin string, args ...string) *story.Report {
	t.Helper()
	r := new(story.Report)
	if err := json.Unmarshal([]byte(must(t, stdin, append([]string{"-format=json"}, args...)...)), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGolden compares reports of the same day with those of before. UPDATE_GOLDEN=1 writes them anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	changing := regexp.MustCompile(`"generated": "[^"]*"`)
	for name, keys := range map[string][]string{"tuned": shown(), "untuned": nil} {
		path := logFile(t, (*sample.Log).Day, keys...)
		for _, format := range []string{"table", "csv", "json"} {
			got := strings.ReplaceAll(must(t, "", "-format="+format, path), path, "audit.log")
			got = changing.ReplaceAllString(got, `"generated": "now"`)
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
				t.Errorf("%s differs from what is now said (UPDATE_GOLDEN=1 takes it over):\n%s", golden, got)
			}
		}
	}
}

func TestTheHelpNamesEveryOption(t *testing.T) {
	t.Parallel()
	_, _, flags := newFlags()
	said := must(t, "", "-help")
	for name := range strings.FieldsSeq("audit-device format help max-rows mount namespace output since until token-file token-stdin version") {
		if !strings.Contains(said, "\n  -"+name) || name != "help" && flags.Lookup(name) == nil {
			t.Errorf("-%s is missing", name)
		}
	}
	if !strings.Contains(must(t, "", "-version"), "mastersindia-audit v") {
		t.Error("-version does not print the version")
	}
}

func TestWrongOptionsSayWhatToDo(t *testing.T) {
	t.Parallel()
	const secret = "eyJhbGciOiJub25lIn0.e30.invented"
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "name the files"},
		{[]string{"-format=xml", "f"}, "table, json, csv, html"},
		{[]string{"-since=yesterday", "f"}, "24h"},
		{[]string{"-since=1h", "-until=2h", "f"}, "not before"},
		{[]string{"-mount=/", "f"}, "vault secrets list"},
		{[]string{"-max-rows=-1", "f"}, "negative"},
		{[]string{"f", "-since=1h"}, "options come first"},
		{[]string{"-nonsense", "f"}, "-help"},
		{[]string{"-token-file=a", "-token-stdin", "f"}, "one of"},
		{[]string{"-token-stdin", "-"}, "read once"},
		{[]string{"-", "-"}, "read once"},
		{[]string{"-token=" + secret, "f"}, "command line"},
		{[]string{"-token", secret, "f"}, "command line"},
		{[]string{secret, "f"}, "command line"},
		{[]string{"-token-file=" + secret, "f"}, "command line"},
		{[]string{"-output", "Bearer " + secret, "f"}, "command line"},
	} {
		r := runWith("", test.args...)
		if r.code != command.ExitUsage || !strings.Contains(r.stderr, test.want) || r.stdout != "" {
			t.Errorf("%q: want exit code 2 and a word of %q, got %+v", test.args, test.want, r)
		}
		if strings.Contains(r.stderr, secret) {
			t.Errorf("%q: the message repeats the token: %s", test.args, r.stderr)
		}
	}
}

func TestWhatCannotBeDoneIsSaidBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := logFile(t, (*sample.Log).Day)
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("two tokens in here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{filepath.Join(dir, "none.log")}, "no such file"},
		{[]string{dir}, "directory"},
		{[]string{path, path}, "same file"},
		{[]string{"-token-file=" + token, path}, "more than one token"},
		{[]string{"-token-file=" + filepath.Join(dir, "none"), path}, "no such file"},
		{[]string{"-output=" + dir, path}, "regular file"},
		{[]string{"-output=" + path, path}, "take its place"},
		{[]string{"-output=" + filepath.Join(dir, "none", "r.html"), path}, filepath.Join("none", "r.html") + ": no such file"},
	} {
		r := runWith("", test.args...)
		if r.code != command.ExitFailed || !strings.Contains(r.stderr, test.want) || strings.Contains(r.stderr, "two tokens") {
			t.Errorf("%q: want exit code 1 and a word of %q, got %+v", test.args, test.want, r)
		}
	}
}

func TestTheOutputFileIsWholeAndPrivate(t *testing.T) {
	t.Parallel()
	path, dir := logFile(t, (*sample.Log).Day), t.TempDir()
	output := filepath.Join(dir, "report.html")
	if err := os.WriteFile(output, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := must(t, "", "-format=html", "-output="+output, path); said != "" {
		t.Errorf("with -output there is nothing to print, and still: %.100s", said)
	}
	info, err := os.Stat(output)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(output)
	if err != nil || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("</html>")) {
		t.Errorf("the page is not whole: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestStandardInput(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logFile(t, (*sample.Log).Day))
	if err != nil {
		t.Fatal(err)
	}
	if r := mustJSON(t, string(text), "-"); r.Summary.Given != 42 || r.Input.Files[0].Name != "-" {
		t.Errorf("want 42 tokens from standard input, got %+v", r.Summary)
	}
}

// TestALogThatCannotBeReadWholeSaysSo: else nobody seems to have been given what the missing part tells of.
func TestALogThatCannotBeReadWholeSaysSo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logFile(t, (*sample.Log).Day))
	if err != nil {
		t.Fatal(err)
	}
	for _, magic := range []string{"\xfd7zXZ\x00", "\x28\xb5\x2f\xfd", "BZh9", "PK\x03\x04"} {
		r := runWith(magic+string(text), "-")
		if r.code != command.ExitFailed || r.stdout != "" || !strings.Contains(r.stderr, "unpack it first") {
			t.Errorf("%q: exit code %d: %s%s", magic, r.code, r.stdout, r.stderr)
		}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const missing = "what comes after is missing"
	cut := zipped.String()[:zipped.Len()/2]
	if said, _, _ := strings.Cut(must(t, cut, "-"), "SUMMARY"); !strings.Contains(said, missing) {
		t.Errorf("a file that was cut short is not mentioned before the summary:\n%s", said)
	}
	if r := runWith(cut, "-format=csv", "-"); r.code != command.ExitOK || !strings.Contains(r.stderr, "Note: -: ") ||
		!strings.Contains(r.stderr, missing) || strings.Contains(r.stdout, missing) {
		t.Errorf("csv has no place for notes, and they are not on standard error: %d: %s", r.code, r.stderr)
	}
}

func TestTheTimeSpan(t *testing.T) {
	t.Parallel()
	path := logFile(t, (*sample.Log).Day, shown()...)
	r := mustJSON(t, "", "-since=2026-03-01T15:00:00Z", "-until=2026-03-01T15:20:30Z", path)
	if r.Summary.Given != 1 || r.Summary.Changes != 1 || r.Summary.Revoked != 1 || r.Summary.Denied != 0 {
		t.Errorf("want one wrapped read, one change and one revocation, got %+v", r.Summary)
	}
	if len(r.Objects) != 2 {
		t.Errorf("what was written before -since tells where configs point, and is missing: %+v", r.Objects)
	}
	if all := mustJSON(t, "", "-since=2020-01-01", path); !strings.Contains(strings.Join(all.Notices, " "), "begins at") {
		t.Errorf("the log begins after -since, and nobody says so: %q", all.Notices)
	}
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-03-01T12:00:00Z", "7d": "2026-02-23T12:00:00Z", "2026-01-31T22:00:00+05:30": "2026-01-31T16:30:00Z",
		"2026-01-31": "2026-01-31T00:00:00Z", "": "0001-01-01T00:00:00Z",
	} {
		if got, err := parseTime("-since", text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("-since=%s: want %s, got %s, %v", text, want, got, err)
		}
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logFile(t, (*sample.Log).Day))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(string(text), `"namespace":{"id":"root"}`, `"namespace":{"id":"x1","path":"team/"}`)
	other = strings.ReplaceAll(other, `-0000-4000-8000-`, `-1111-4000-8000-`)
	other = strings.ReplaceAll(other, `"mount_point":"`, `"mount_point":"team/`) // as Vault does; paths are without it
	both := string(text) + other
	for namespace, want := range map[string]int64{"": 84, "team": 42, "team/": 42, "root": 42, "none": 0} {
		if r := mustJSON(t, both, "-namespace="+namespace, "-"); r.Summary.Given != want {
			t.Errorf("-namespace=%s: want %d tokens, got %d", namespace, want, r.Summary.Given)
		}
	}
	if said := must(t, both, "-"); !strings.Contains(said, "2 namespaces") {
		t.Errorf("two mounts are taken together, and nobody says so:\n%s", said)
	}
}

// vaultThatHashes is a Vault of which only sys/audit-hash/file answers.
func vaultThatHashes(t *testing.T, l *sample.Log) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Input string }
		if r.URL.Path != "/v1/sys/audit-hash/file" || r.Header.Get("X-Vault-Token") == "" || json.NewDecoder(r.Body).Decode(&asked) != nil {
			http.Error(w, `{"errors":["unknown audit backend"]}`, http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"hash": l.HMAC(asked.Input)}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// names are those who received the leaked token.
func names(all []story.Reading) string {
	var out []string
	for _, r := range all {
		out = append(out, r.Who.DisplayName)
	}
	return strings.Join(out, " ")
}

// withoutTokenID is a log without the HMACs of token_ids, so that only those of tokens are left.
func withoutTokenID(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stripped := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(stripped, regexp.MustCompile(`,"token_id":"hmac-[^"]*"`).ReplaceAll(text, nil), 0o600); err != nil { //nolint:gosec // G703: a directory of the test
		t.Fatal(err)
	}
	return stripped
}

const (
	wantReceivers = "userpass-asha kubernetes-erp-invoices approle"
	wantPossible  = "userpass-asha kubernetes-erp-invoices"
)

func TestALeakedTokenIsTraced(t *testing.T) {
	tuned, untuned := logFile(t, (*sample.Log).Day, shown()...), logFile(t, (*sample.Log).Day)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("Authorization: JWT "+sample.Token(2)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withoutID := withoutTokenID(t, untuned)
	address := vaultThatHashes(t, sample.New(&bytes.Buffer{}, 1))
	for _, test := range []struct{ name, address, log, receivers, unchecked string }{
		{"by token_id", "", tuned, wantReceivers, "VAULT_ADDR is not set"},
		{"by audit-hash", address, untuned, wantReceivers, ""},
		{"by audit-hash of the token alone", address, withoutID, wantReceivers, ""},
		{"by both", address, tuned, wantReceivers, ""},
		{"by nothing", "", untuned, "", "41 reads"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("VAULT_ADDR", test.address)
			t.Setenv("VAULT_TOKEN", "invented-vault-token")
			r := mustJSON(t, "", "-token-file="+token, test.log)
			if got := names(r.Leak.Receivers); got != test.receivers {
				t.Errorf("want %q, got %q", test.receivers, got)
			}
			if got := names(r.Leak.Possible); got != wantPossible {
				t.Errorf("want %q as possible, got %q", wantPossible, got)
			}
			if said := strings.Join(r.Leak.Unchecked, "; "); !strings.Contains(said, test.unchecked) || test.unchecked == "" && said != "" {
				t.Errorf("want %q said of what was not looked for, got %q", test.unchecked, said)
			}
			if r.Leak.TokenID != entry.TokenID(sample.Token(2)) {
				t.Errorf("the token is called %s", r.Leak.TokenID)
			}
			for _, format := range []string{"table", "json", "csv", "html"} {
				if text := must(t, sample.Token(2), "-token-stdin", "-format="+format, test.log); strings.Contains(text, sample.Token(2)) {
					t.Errorf("%s shows the token", format)
				}
			}
		})
	}
	t.Run("a Vault that refuses", func(t *testing.T) {
		t.Setenv("VAULT_ADDR", address)
		t.Setenv("VAULT_TOKEN", "invented-vault-token")
		said := runWith(sample.Token(2), "-token-stdin", "-audit-device=other", tuned)
		if said.code != command.ExitFailed || !strings.Contains(said.stderr, "vault audit list") || strings.Contains(said.stderr, sample.Token(2)) {
			t.Errorf("want exit code 1 and what to do, got %+v", said)
		}
	})
	t.Run("readers of a revoked token", func(t *testing.T) {
		t.Setenv("VAULT_ADDR", address)
		t.Setenv("VAULT_TOKEN", "invented-vault-token")
		r := mustJSON(t, "", "-audit-device=file", untuned)
		if got := strings.Join(r.Revocations[0].Receivers, " "); got != "approle kubernetes-erp-invoices userpass-asha" {
			t.Errorf("the revoked token had been given to %q", got)
		}
	})
	t.Run("csv", func(t *testing.T) {
		t.Setenv("VAULT_ADDR", "")
		rows, err := csv.NewReader(strings.NewReader(must(t, sample.Token(2), "-token-stdin", "-format=csv", tuned))).ReadAll()
		if err != nil || len(rows) != 6 || rows[1][0] != "yes" || rows[5][0] != "perhaps" {
			t.Errorf("want 3 lines of yes and 2 of perhaps, got %q, %v", rows, err)
		}
		r := runWith(sample.Token(2), "-token-stdin", "-format=csv", untuned)
		if r.code != command.ExitOK || !strings.Contains(r.stderr, "NOT looked for: 41 reads") {
			t.Errorf("no line of csv has a receiver, and nobody says that all reads are hidden: %d: %s", r.code, r.stderr)
		}
	})
}

func TestARevokedTokenThatIsHandedOutIsAnAlarm(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{"shown": {"token_id"}, "shown at times": {"token_id"}} {
		path := logFile(t, func(l *sample.Log) {
			l.Day()
			if name == "shown at times" {
				l.Shown = nil // the HMAC of the token joins what was shown before
			}
			l.Wait(time.Minute)
			l.Read(sample.People()[0], "billing", sample.Token(2), "gst")
		}, keys...)
		r := mustJSON(t, "", path)
		if len(r.Alarms) != 1 || !strings.Contains(r.Alarms[0].Message, entry.TokenID(sample.Token(2))) ||
			!strings.Contains(r.Alarms[0].Message, "userpass-asha") {
			t.Errorf("%s: want one alarm that names token and reader, got %+v", name, r.Alarms)
		}
	}
	if r := mustJSON(t, "", logFile(t, (*sample.Log).Day, "token_id")); len(r.Alarms) > 0 {
		t.Errorf("nothing is wrong, and still: %+v", r.Alarms)
	}
}

func TestAReadThatBeganBeforeTheRevocationIsNoAlarm(t *testing.T) {
	t.Parallel()
	asha, mount := sample.People()[0], "mastersindia/"
	text, err := os.ReadFile(logFile(t, func(l *sample.Log) {
		l.Read(asha, "billing", sample.Token(1), "gst")
		l.Do(sample.Request{By: asha, Operation: "update", Mount: mount, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{entry.TokenID(sample.Token(1)): map[string]any{}},
		}})
	}, "token_id"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	crossing := strings.Replace(lines[1], `"time":"2026-03-01T08:00:00.005Z"`, `"time":"2026-03-01T08:00:00.011Z"`, 1)
	if crossing == lines[1] {
		t.Fatalf("the response is not at the time that the test takes it for: %s", lines[1])
	}
	if r := mustJSON(t, lines[0]+lines[2]+lines[3]+crossing, "-"); len(r.Alarms) != 0 || r.Summary.Given != 1 {
		t.Errorf("a read that was under way when the token was revoked: %+v, %+v", r.Summary, r.Alarms)
	}
}

func TestASecretInTheLogIsAnAlarmAndNotRepeated(t *testing.T) {
	t.Parallel()
	path := logFile(t, (*sample.Log).Day, "password", "access_token", "token_id")
	for _, format := range []string{"table", "json", "csv", "html"} {
		text := must(t, "", "-format="+format, path)
		if strings.Contains(text, "invented-password") || strings.Contains(text, sample.Token(1)) {
			t.Errorf("%s repeats a secret that the log shows", format)
		}
		if format != "csv" && !strings.Contains(text, "the log shows password in clear") {
			t.Errorf("%s raises no alarm", format)
		}
	}
	r := mustJSON(t, sample.Token(2), "-token-stdin", path)
	if got := names(r.Leak.Receivers); got != wantReceivers {
		t.Errorf("the token is traced to %q, want %q", got, wantReceivers)
	}
}

func TestEntriesThatComeTwiceCountOnce(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logFile(t, (*sample.Log).Day))
	if err != nil {
		t.Fatal(err)
	}
	once, twice := mustJSON(t, string(text), "-"), mustJSON(t, string(text)+string(text), "-")
	if twice.Summary.Given != once.Summary.Given || twice.Summary.Requests != once.Summary.Requests || twice.Input.Duplicates == 0 {
		t.Errorf("want %+v, got %+v with %d duplicates", once.Summary, twice.Summary, twice.Input.Duplicates)
	}
}

func TestHalvesThatLackTheOtherAreCounted(t *testing.T) {
	t.Parallel()
	asha := sample.People()[0]
	r := mustJSON(t, "", logFile(t, func(l *sample.Log) {
		for n := range 5 {
			l.Do(sample.Request{By: asha, Operation: "read", Mount: "mastersindia/", Path: "token/billing",
				NoResponse: n < 2, NoRequest: n == 4, Answer: l.Answer(sample.Token(1), "gst"), Lease: true})
		}
	}))
	if r.Input.RequestsUnanswered != 2 || r.Input.ResponsesAlone != 1 || r.Summary.Unanswered != 2 || r.Summary.Given != 3 {
		t.Errorf("want 2 requests and 1 response alone, 3 tokens given, got %+v, %+v", r.Input, r.Summary)
	}
}

func TestAWrappedTokenIsFollowedToWhoeverUnwrapsIt(t *testing.T) {
	t.Parallel()
	people := sample.People()
	asha, erp, other := people[0], people[3], people[1]
	unwrap := func(l *sample.Log, by sample.Caller, wrapping string) {
		l.Do(sample.Request{By: by, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": wrapping}, Answer: l.Answer(sample.Token(1), "gst")})
	}
	path := logFile(t, func(l *sample.Log) {
		l.Do(sample.Request{By: asha, Operation: "read", Mount: "mastersindia/", Path: "token/billing", Wrap: "wrapping-1"})
		unwrap(l, erp, "wrapping-1")
		unwrap(l, other, "wrapping-of-another-mount")
	})
	r := mustJSON(t, "", path)
	var found []string
	for _, reading := range r.Readings {
		text := reading.Who.DisplayName + " " + string(reading.Kind)
		if reading.AskedBy != nil {
			text += " for " + reading.AskedBy.DisplayName
		}
		found = append(found, text)
	}
	if got := strings.Join(found, ", "); got != "kubernetes-erp-invoices unwrap for userpass-asha, userpass-asha read" {
		t.Errorf("got %s", got)
	}
}

// TestAWrappingFromBeforeTheTimeSpanIsFollowed is about a role without leases: its unwrapping is known by the wrapping token alone.
func TestAWrappingFromBeforeTheTimeSpanIsFollowed(t *testing.T) {
	t.Parallel()
	asha, erp := sample.People()[0], sample.People()[3]
	path := logFile(t, func(l *sample.Log) {
		l.Do(sample.Request{By: asha, Operation: "read", Mount: "mastersindia/", Path: "token/billing", Wrap: "wrapping-1"})
		l.Wait(2 * time.Hour)
		l.Do(sample.Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-1"}, Answer: l.Answer(sample.Token(1), "gst")})
	})
	r := mustJSON(t, "", "-since=2026-03-01T09:00:00Z", path)
	if len(r.Readings) != 1 || r.Readings[0].Who.DisplayName != erp.Name || r.Readings[0].Role != "billing" ||
		r.Readings[0].AskedBy == nil || r.Readings[0].AskedBy.DisplayName != asha.Name {
		t.Errorf("want the unwrapping by %s of what %s asked for, got %+v", erp.Name, asha.Name, r.Readings)
	}
}

func TestCSVRaisesAlarmsOnStandardError(t *testing.T) {
	t.Parallel()
	path := logFile(t, (*sample.Log).Day, "password")
	if r := runWith("", "-format=csv", path); !strings.Contains(r.stderr, "Alarm: the log shows password in clear") {
		t.Errorf("no alarm: %d: %s", r.code, r.stderr)
	}
}

// TestARenewedTokenKeepsItsAuthMethod: the answer to a renewal looks like that to a login, and that to the making of a child token
// has the parent's entity.
func TestARenewedTokenKeepsItsAuthMethod(t *testing.T) {
	t.Parallel()
	app := sample.People()[2]
	child := app
	child.Name = "token"
	r := mustJSON(t, "", logFile(t, func(l *sample.Log) {
		l.Do(sample.Request{By: sample.Caller{Remote: app.Remote}, Operation: "update", Mount: "auth/approle/", Path: "login", Login: &app})
		l.Do(sample.Request{By: app, Operation: "update", Mount: "auth/token/", Path: "renew-self", Login: &app})
		l.Do(sample.Request{By: app, Operation: "update", Mount: "auth/token/", Path: "create", Login: &child})
		l.Read(app, "billing", sample.Token(1), "gst")
	}))
	if who := r.Readings[0].Who; who.AuthMethod != "auth/approle/" || who.GuessedMethod {
		t.Errorf("%s came by auth/approle/, and the report says %s", who.DisplayName, who.AuthMethod)
	}
}

// TestEachAliasOfAnEntityIsNamed: one person who logs in by two methods is one caller, and still each read says by which name.
func TestEachAliasOfAnEntityIsNamed(t *testing.T) {
	t.Parallel()
	asha := sample.People()[0]
	app := asha
	app.Name, app.Method = "approle", "approle"
	r := mustJSON(t, "", logFile(t, func(l *sample.Log) {
		l.Do(sample.Request{By: sample.Caller{Remote: asha.Remote}, Operation: "update", Mount: "auth/userpass/", Path: "login/x", Login: &asha})
		l.Read(asha, "billing", sample.Token(1), "gst")
		l.Wait(time.Minute)
		l.Read(app, "billing", sample.Token(1), "gst")
	}))
	if got := names(r.Readings); got != "approle userpass-asha" {
		t.Errorf("want both names of the entity, got %q", got)
	}
	if first := r.Readings[0].Who; first.AuthMethod == "auth/userpass/" && !first.GuessedMethod {
		t.Errorf("%s did not come by %s", first.DisplayName, first.AuthMethod)
	}
	if r.Summary.Readers != 1 || r.Tokens[0].Readers != 1 {
		t.Errorf("one entity is one caller, and counted as %d and %d", r.Summary.Readers, r.Tokens[0].Readers)
	}
}

// TestATokenFileIsReadAsItWasMeantOrRefused: a search for anything else than the token would find nobody.
func TestATokenFileIsReadAsItWasMeantOrRefused(t *testing.T) {
	path := logFile(t, (*sample.Log).Day, shown()...)
	t.Setenv("VAULT_ADDR", "")
	token := sample.Token(2)
	for _, text := range []string{
		token, "\ufeff" + token + "\r\n", `"` + token + `"` + "\n", "JWT " + token, `"JWT ` + token + `"`, "authorization: Bearer " + token,
	} {
		if got := names(mustJSON(t, text, "-token-stdin", path).Leak.Receivers); got != wantReceivers {
			t.Errorf("%q is traced to %q, want %q", text, got, wantReceivers)
		}
	}
	for _, text := range []string{
		`{"access_token":"` + token + `"}`, `"access_token": "` + token + `",`, token + "\n" + sample.Token(1) + "\n",
		"\xff\xfei\x00n\x00", "",
	} {
		if r := runWith(text, "-token-stdin", path); r.code != command.ExitFailed || strings.Contains(r.stderr, token) {
			t.Errorf("%q: want exit code 1 and no token shown, got %d: %s", text, r.code, r.stderr)
		}
	}
}

// TestAllReadsThatMayHaveGivenALeakedTokenAreNamed: a token is shared by all roles of its config, and the request that made Vault
// get it is older than the token.
func TestAllReadsThatMayHaveGivenALeakedTokenAreNamed(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	people, mount := sample.People(), "mastersindia/"
	path := logFile(t, func(l *sample.Log) {
		l.Read(people[4], "other", sample.Token(9), "another")
		l.Wait(time.Hour)
		l.Do(sample.Request{By: people[1], Operation: "read", Mount: mount, Path: "token/billing", NoResponse: true})
		l.Wait(2 * time.Second)
		l.Read(people[0], "billing", sample.Token(1), "gst")
		l.Wait(time.Minute)
		l.Do(sample.Request{By: people[2], Operation: "read", Mount: mount, Path: "token/kiosk", NoResponse: true})
		l.Do(sample.Request{By: people[4], Operation: "read", Mount: mount, Path: "token/other", NoResponse: true})
		l.Wait(48 * time.Hour)
		l.Do(sample.Request{By: people[3], Operation: "read", Mount: mount, Path: "token/billing", NoResponse: true})
	}, shown()...)
	r := mustJSON(t, sample.Token(1), "-token-stdin", path)
	if got, want := names(r.Leak.Possible), people[2].Name+" "+people[1].Name; got != want {
		t.Errorf("want %q as possible, got %q", want, got)
	}
}

// TestReadsOutsideOfTheTimeSpanAreNotDenied: "nobody was given it" would be wrong.
func TestReadsOutsideOfTheTimeSpanAreNotDenied(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	path := logFile(t, (*sample.Log).Day, shown()...)
	const since = "-since=2026-03-01T15:00:00Z"
	r := mustJSON(t, sample.Token(2), "-token-stdin", since, path)
	if said := strings.Join(r.Leak.Unchecked, "; "); len(r.Leak.Receivers) > 0 || !strings.Contains(said, "20 reads that gave it outside") {
		t.Errorf("20 reads before -since gave the token, and the report says %q of what it left out", said)
	}
	r = mustJSON(t, "", since, path)
	if said := strings.Join(r.Notices, "; "); !strings.Contains(said, "40 tokens were handed out outside") {
		t.Errorf("the revoked token was handed out before -since, and the report says %q", said)
	}
}

// TestCallersWithoutEntityAreToldApart by the accessors of their Vault tokens, which an audit device may show.
func TestCallersWithoutEntityAreToldApart(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	root := sample.Caller{Name: "root", Remote: "10.1.0.1", Policies: []string{"root"}}
	path := logFile(t, func(l *sample.Log) { l.Read(root, "billing", sample.Token(1), "gst") }, shown()...)
	hmac := sample.New(&bytes.Buffer{}, 1).HMAC("accessor root")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	shownClear := strings.ReplaceAll(string(text), hmac, "an-invented-accessor-000")
	for log, accessor := range map[string]string{string(text): hmac, shownClear: "an-invented-accessor-000"} {
		if said := must(t, log, "-format=csv", "-"); !strings.Contains(said, ","+accessor+",") {
			t.Errorf("csv has no accessor:\n%s", said)
		}
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte(sample.Token(1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := must(t, log, "-format=csv", "-token-file="+token, "-"); !strings.Contains(said, "yes,root,,"+accessor+",") {
			t.Errorf("csv of a leaked token has no accessor:\n%s", said)
		}
	}
	if said := must(t, shownClear, "-"); !strings.Contains(said, "Vault token an-invented-accessor-000") {
		t.Errorf("the table does not show the accessor that the log shows:\n%s", said)
	}
}

func TestAnImpossibleTimeCostsOneLineAndNotTheReport(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(logFile(t, (*sample.Log).Day))
	if err != nil {
		t.Fatal(err)
	}
	for _, impossible := range []string{"9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+05:00"} {
		log := string(text) + `{"time":"` + impossible + `","type":"request","request":{"id":"x","operation":"read",` +
			`"path":"mastersindia/token/billing","mount_point":"mastersindia/"}}` + "\n"
		if r := mustJSON(t, log, "-"); r.Summary.Given != 42 || r.Input.Garbage != 1 {
			t.Errorf("%s: want 42 tokens and one unreadable line, got %d and %d", impossible, r.Summary.Given, r.Input.Garbage)
		}
	}
}

// TestAWrappingIsFollowedOnItsOtherWays: into another wrapping, and to who reads it where Vault keeps it.
func TestAWrappingIsFollowedOnItsOtherWays(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	asha, erp := sample.People()[0], sample.People()[3]
	path := logFile(t, func(l *sample.Log) {
		wrapped := func(wrapping string) {
			l.Do(sample.Request{By: asha, Operation: "read", Mount: "mastersindia/", Path: "token/billing", Wrap: wrapping})
		}
		wrapped("wrapping-1")
		l.Do(sample.Request{By: asha, Operation: "update", Mount: "sys/", Path: "wrapping/rewrap",
			Data: map[string]any{"token": "wrapping-1"}, Wrap: "wrapping-2"})
		l.Do(sample.Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-2"}, Answer: l.Answer(sample.Token(1), "gst")})
		wrapped("wrapping-3")
		l.Raw(`{"time":"2026-03-01T09:00:00Z","type":"response","auth":{"client_token":"` + l.HMAC("wrapping-3") + `"},` +
			`"request":{"id":"1","operation":"read","path":"cubbyhole/response","mount_point":"cubbyhole/","remote_address":"10.9.9.9"},` +
			`"response":{"data":{"response":"` + l.HMAC("all of it") + `"}}}`)
	})
	r := mustJSON(t, sample.Token(1), "-token-stdin", path)
	if got := names(r.Readings); got != "holder of the wrapping token userpass-asha kubernetes-erp-invoices" {
		t.Errorf("want both who unwrapped and who asked, got %q", got)
	}
	if got := names(r.Leak.Possible); got != "holder of the wrapping token" || r.Leak.Possible[0].Remote[0] != "10.9.9.9" {
		t.Errorf("whoever read the wrapping may have been given the token, and is not named: %q", got)
	}
}

// TestParametersThatNobodyKnowsHideNothing: Vault passes over them, and names sort before token_url.
func TestParametersThatNobodyKnowsHideNothing(t *testing.T) {
	t.Parallel()
	omar := sample.People()[4]
	junk := make(map[string]any)
	for n := range 60 {
		junk[fmt.Sprintf("a%02d", n)+strings.Repeat("x", 1000)] = true
	}
	r := mustJSON(t, "", logFile(t, func(l *sample.Log) {
		l.Do(sample.Request{By: omar, Operation: "update", Mount: "mastersindia/", Path: "config/gst", Data: junk})
		hidden := maps.Clone(junk)
		hidden["token_url"] = "https://login.example.net/"
		l.Do(sample.Request{By: omar, Operation: "update", Mount: "mastersindia/", Path: "config/gst", Data: hidden})
	}, "token_url"))
	for what, fields := range map[string][]entry.Field{"the config": r.Objects[0].Fields, "the request": r.Rows[1].Fields} {
		at := slices.IndexFunc(fields, func(f entry.Field) bool { return f.Name == "token_url" })
		if at < 0 || fields[at].Value != "https://login.example.net/" {
			t.Errorf("%s does not show where the config points: %+v", what, fields)
		}
		for _, f := range fields {
			if len(f.Name) > 100 {
				t.Errorf("%s takes %d bytes for one name", what, len(f.Name))
			}
		}
	}
}
