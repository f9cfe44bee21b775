// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGolden compares reports of the same day with those of before. UPDATE_GOLDEN=1 writes them anew.
func TestGolden(t *testing.T) {
	withoutVault(t)
	for name, shown := range map[string][]string{"tuned": tuned(), "untuned": nil} {
		path := logFile(t, func(l *Log) { l.HideIssue = shown == nil; l.Day() }, shown...)
		for _, format := range []string{"table", "csv", "json"} {
			got := must(t, "", "-format="+format, path)
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
				t.Errorf("%s differs from what is now written (UPDATE_GOLDEN=1 takes it over):\n%s", golden, got)
			}
		}
	}
}

func TestHelp_NamesEveryOption(t *testing.T) {
	flags := newFlags(new(options), time.Now())
	help := must(t, "", "-help")
	for name := range strings.FieldsSeq("audit-device db format mount namespace since until token-file version") {
		if !strings.Contains(help, "\n  -"+name) || flags.Lookup(name) == nil {
			t.Errorf("-%s is missing", name)
		}
	}
	if !strings.Contains(must(t, "", "-version"), "mastersindia-audit v") {
		t.Error("-version does not print the version")
	}
}

func TestOptions_WrongOnesSayWhatToDo(t *testing.T) {
	withoutVault(t)
	const secret = "eyJhbGciOiJub25lIn0.e30.invented"
	digits := strings.Repeat("0a1b2c3d", 5)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "name the files"},
		{[]string{"-format=xml", "f"}, "table, json, csv, html"},
		{[]string{"-since=yesterday", "f"}, "24h"},
		{[]string{"-since=1h", "-until=2h", "f"}, "not before"},
		{[]string{"-mount=/", "f"}, "vault secrets list"},
		{[]string{"f", "-since=1h"}, "options come first"},
		{[]string{"-nonsense", "f"}, "-help"},
		{[]string{"-token-file=-", "-"}, "read once"},
		{[]string{"-", "-"}, "read once"},
		{[]string{"-token=" + secret, "f"}, "command line"},
		{[]string{"-token", secret, "f"}, "command line"},
		{[]string{secret, "f"}, "command line"},
		{[]string{"-token-file=" + secret, "f"}, "command line"},
		{[]string{"-token-file=" + digits, "f"}, "command line"},
		{[]string{digits}, "command line"},
		{[]string{"-db", "Bearer " + secret, "f"}, "command line"},
		{[]string{"hvs.CAESIinventedinventedinvented", "f"}, "command line"},
		{[]string{"-token-file=hvs.txt", "-nonsense", "f"}, "-nonsense"},
		{[]string{""}, "is empty"}, // a shell's "$AUDIT_LOG" without a value
		{[]string{"-token-file=", "f"}, "is empty"},
		{[]string{"-token-file", "", "f"}, "is empty"},
		{[]string{"-audit-device=file", "f"}, "VAULT_TOKEN"},
	} {
		r := runWith(t, "", test.args...)
		if r.code != exitUsage || !strings.Contains(r.stderr, test.want) || r.stdout != "" || strings.Contains(r.stderr, secret) || strings.Contains(r.stderr, digits) {
			t.Errorf("%q: want exit code 2 and %q, got %+v", test.args, test.want, r)
		}
	}
}

func TestOptions_ImpossibleOnesFailEarly(t *testing.T) {
	withoutVault(t)
	dir, path := t.TempDir(), logFile(t, (*Log).Day)
	token := file(t, "two tokens in here\n")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-token-file=" + token, path}, "not one token"},
		{[]string{"-token-file=" + filepath.Join(dir, "none"), path}, "no such file"},
		{[]string{"-db=" + path, path}, "exists"},
	} {
		r := runWith(t, "", test.args...)
		if r.code != exitFailed || !strings.Contains(r.stderr, test.want) || strings.Contains(r.stderr, "two tokens") || r.stdout != "" {
			t.Errorf("%q: want exit code 1 and %q, got %+v", test.args, test.want, r)
		}
	}
}

func TestDatabase_PrivateAndRemoved(t *testing.T) {
	withoutVault(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	path, database := logFile(t, (*Log).Day), filepath.Join(t.TempDir(), "audit.db")
	must(t, "", "-db="+database, path)
	if info, err := os.Stat(database); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %v, %v", info, err)
	}
	must(t, "", path)
	if left, err := filepath.Glob(filepath.Join(temporary, "*.db*")); err != nil || len(left) > 0 {
		t.Errorf("temporary databases are left: %v, %v", left, err)
	}
}

func TestSpan_LimitsListsAndNotObjects(t *testing.T) {
	withoutVault(t)
	path := logFile(t, (*Log).Day, tuned()...)
	r := mustJSON(t, "", "-since=2026-03-01T15:00:00Z", "-until=2026-03-01T15:20:30Z", path)
	if r.count("given") != 1 || r.count("changes") != 1 || r.count("revocations") != 1 || r.count("denied") != 0 {
		t.Errorf("want one wrapped read, one change and one revocation, got %v", r["summary"])
	}
	if len(r["objects"]) != 2 || !strings.Contains(r.all("revocations", "receivers"), "userpass-asha") {
		t.Errorf("what was before -since is missing: %v, %v", r["objects"], r["revocations"])
	}
	if all := mustJSON(t, "", "-since=2020-01-01", path); !strings.Contains(all.all("notes", "text"), "files from before may be missing") {
		t.Errorf("the log begins after -since, and no note tells: %v", all["notes"])
	}
	const want = "Listed is what happened from 2026-02-28 18:30:00 and before 2026-03-02 00:00:00 (UTC)."
	if r := mustJSON(t, "", "-since=2026-03-01T00:00:00+05:30", "-until=2026-03-02", path); !strings.Contains(r.all("notes", "text"), want) {
		t.Errorf("want the span in UTC, got %v", r["notes"])
	}
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-03-01T12:00:00Z", "7d": "2026-02-23T12:00:00Z", "2026-01-31T22:00:00+05:30": "2026-01-31T16:30:00Z",
		"2026-01-31": "2026-01-31T00:00:00Z",
	} {
		if got, err := parseTime(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("-since=%s: want %s, got %s, %v", text, want, got, err)
		}
	}
}

func TestNamespaces_AreToldApart(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", (*Log).Day)
	other := strings.ReplaceAll(text, `"namespace":{"id":"root"}`, `"namespace":{"id":"x1","path":"team/"}`)
	other = strings.ReplaceAll(strings.ReplaceAll(other, "_0a1b2c3d", "_4e5f6a7b"), `-0000-4000-8000-`, `-1111-4000-8000-`)
	other = strings.ReplaceAll(other, `"mount_point":"`, `"mount_point":"team/`) // as Vault does; paths are without it
	for namespace, want := range map[string]int{"*": 84, "team": 42, "team/": 42, "root": 42, "none": 0} {
		if r := mustJSON(t, text+other, "-namespace="+namespace, "-"); r.count("given") != want {
			t.Errorf("-namespace=%s: want %d tokens, got %v", namespace, want, r["summary"])
		}
	}
	if report := must(t, text+other, "-"); !strings.Contains(report, "2 namespaces") {
		t.Errorf("two mounts are reported together, and no note tells:\n%s", report)
	}
}

const (
	dayReceivers = "approle kubernetes-erp-invoices userpass-asha"
	// dayPossible are the readers of the day without Vault: each of the tokens, and two reads that the log does not show.
	dayPossible = "approle approle approle kubernetes-erp-invoices kubernetes-erp-invoices kubernetes-erp-invoices " + //nolint:dupword // three tokens each
		"userpass-asha userpass-asha userpass-asha" //nolint:dupword // three tokens each
)

func TestRevoked_ReadersByHMAC(t *testing.T) {
	vaultWith(t, map[string]string{"file": "audit-device-key"})
	r := mustJSON(t, "", "-audit-device=file", logFile(t, (*Log).Day))
	if got := r.all("revocations", "receivers"); strings.Count(got, "[") != 3 || !strings.Contains(got, "userpass-asha") {
		t.Errorf("the revoked token had been given to %q", got)
	}
}

// TestRevoked_ReadersOfARenamedPlugin: the path of the report's mount tells that an answer without a lease is the engine's.
func TestRevoked_ReadersOfARenamedPlugin(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst")})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{l.id(1): map[string]any{}}}})
	})
	text = strings.NewReplacer(`"mount_type":"mastersindia"`, `"mount_type":"gst-tokens"`, "mastersindia_0a1b2c3d", "gst-tokens_0a1b2c3d").Replace(text)
	if got := mustJSON(t, "", "-audit-device=file", file(t, text)).all("revocations", "receivers"); !strings.Contains(got, "userpass-asha") {
		t.Errorf("userpass-asha had been given the revoked token, and the report names %q", got)
	}
}

// TestToken_ReadAsMeantOrRefused: a search for anything else than the token would find nobody.
func TestToken_ReadAsMeantOrRefused(t *testing.T) {
	withoutVault(t)
	path, token := logFile(t, (*Log).Day, tuned()...), Token(2)
	for _, text := range []string{
		token, "\ufeff" + token + "\r\n", `"` + token + `"` + "\n", "JWT " + token, `"JWT ` + token + `"`, "authorization: Bearer " + token,
	} {
		if r := runWith(t, text, "-token-file=-", path); !strings.Contains(r.stdout, "GIVEN THE LEAKED TOKEN\n  MOUNT") {
			t.Errorf("%q is not found: %s", text, r.stdout)
		}
	}
	for _, text := range []string{
		"hvs.CAESIinventedinventedinvented", "s.inventedinventedinvented",
		`{"access_token":"` + token + `"}`, `"access_token": "` + token + `",`, token + "\n" + Token(1) + "\n", "\xff\xfei\x00n\x00", "",
	} {
		if r := runWith(t, text, "-token-file=-", path); r.code != exitFailed || strings.Contains(r.stderr, token) {
			t.Errorf("%q: want exit code 1 and no token shown, got %d: %s", text, r.code, r.stderr)
		}
	}
}

// jwt is an invented JWT of that life.
func jwt(issued, expires time.Time) string {
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d}`, issued.Unix(), expires.Unix())
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".invented"
}

func TestAlarm_RevokedTokenHandedOut(t *testing.T) {
	withoutVault(t)
	for _, later := range [][]string{{"token_id"}, nil} { // then the HMAC of the token joins what was shown before
		path := logFile(t, func(l *Log) {
			l.Day()
			l.Shown = later
			l.Wait(time.Minute)
			l.Read(People()[0], "billing", Token(2), "gst")
		}, "token_id")
		r := mustJSON(t, "", path)
		if got := r.all("alarms", "message"); len(r["alarms"]) != 1 || !strings.Contains(got, tokenID(Token(2))) || !strings.Contains(got, "userpass-asha") {
			t.Errorf("want one alarm that names token and reader, got %s", got)
		}
	}
	if r := mustJSON(t, "", logFile(t, (*Log).Day, "token_id")); len(r["alarms"]) > 0 {
		t.Errorf("nothing is wrong, and still: %v", r["alarms"])
	}
}

func TestHalves_ThatLackTheOther(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		for n := range 5 {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing",
				NoResponse: n < 2, NoRequest: n == 4, Answer: l.Answer(Token(1), "gst"), Lease: true})
		}
	}))
	if r.count("unanswered") != 2 || r.count("given") != 3 || !strings.Contains(r.all("notes", "text"), "1 reads have a response and no request") {
		t.Errorf("want 2 requests and 1 response alone, got %v, %v", r["summary"], r["notes"])
	}
}

// TestCallers_TwoAliases: one person with two aliases is one caller of two names.
func TestCallers_TwoAliases(t *testing.T) {
	withoutVault(t)
	app := People()[2]
	alias := app
	alias.Name = "userpass-app"
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Read(app, "billing", Token(1), "gst")
		l.Read(alias, "billing", Token(1), "gst")
	}))
	if got := r.all("readings", "who"); got != "userpass-app; approle" || r.count("callers") != 1 {
		t.Errorf("want two names of one caller, got %s, %v", got, r["summary"])
	}
}

func TestTime_ImpossibleCostsOneLine(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", (*Log).Day)
	for _, impossible := range []string{"9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+05:00"} {
		log := text + `{"time":"` + impossible + `","type":"request","request":{"id":"x","operation":"read",` +
			`"path":"mastersindia/token/billing","mount_point":"mastersindia/"}}` + "\n"
		if r := mustJSON(t, log, "-"); r.count("given") != 42 || !strings.Contains(r.all("notes", "text"), "1 lines are damaged") {
			t.Errorf("%s: want 42 tokens and one damaged line, got %v, %v", impossible, r["summary"], r["notes"])
		}
	}
}

// TestParameters_UnknownOnesHideNothing: Vault ignores them, and their names sort before token_url.
func TestParameters_UnknownOnesHideNothing(t *testing.T) {
	withoutVault(t)
	junk := make(map[string]any)
	for n := range 60 {
		junk[fmt.Sprintf("a%02d", n)+strings.Repeat("x", 1000)] = true
	}
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: junk})
		both := maps.Clone(junk)
		both["token_url"] = "https://login.example.net/"
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: both})
	}, "token_url"))
	for _, text := range []string{r.all("objects", "state"), r["changes"][0].text("written")} {
		if !strings.Contains(text, "token_url=https://login.example.net/") || len(text) > 4000 {
			t.Errorf("the report does not show where the config points: %s", text)
		}
	}
}

// TestRevoked_ReceiversNotKnown: where the log hides or lacks what a read gave, the list of revocations does not say that nobody had it.
func TestRevoked_ReceiversNotKnown(t *testing.T) {
	withoutVault(t)
	revoke := Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
		"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}}
	read := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true}
	for name, path := range map[string]string{
		"hidden":     logFile(t, func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst"); l.Do(revoke) }),
		"unanswered": logFile(t, func(l *Log) { l.Do(read); l.Do(revoke) }, tuned()...),
	} {
		if r := mustJSON(t, "", path); len(r["revocations"]) != 1 || r.all("revocations", "receivers") == "" {
			t.Errorf("%s: userpass-asha may have had the revoked token, and the report says that nobody had it: %v", name, r["revocations"])
		}
	}
}

// TestRevoked_ReceiversThroughAnotherMount: who had a revoked token is asked of every mount of the engine, as for a leaked one.
func TestRevoked_ReceiversThroughAnotherMount(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
	}, tuned()...), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	if got := mustJSON(t, text, "-").all("revocations", "receivers"); !strings.Contains(got, "userpass-asha") || !strings.Contains(got, "userpass-bina") {
		t.Errorf("the revoked token had been given to two, got %q", got)
	}
}

// TestSpan_OutsideOfTheLog: a span that the log does not reach is not one in which nothing happened.
func TestSpan_OutsideOfTheLog(t *testing.T) {
	withoutVault(t)
	path := logFile(t, (*Log).Day, tuned()...)
	for _, span := range []string{"-since=2026-03-05", "-until=2026-02-20"} {
		r := mustJSON(t, "", span, path)
		if code := runWith(t, "", span, path).code; code == exitOK && r.all("notes", "text") == "" {
			t.Errorf("%s: the log has nothing of that time, and the report says %v, with exit code 0 and without a note", span, r["summary"])
		}
	}
	path = logFile(t, readByAsha, tuned()...)
	for span, want := range map[string]int{"-since=2026-02-20": exitOK, "-since=2026-03-05": exitIncomplete, "-until=2026-02-20": exitIncomplete} {
		if r := runWith(t, Token(1), "-token-file=-", span, path); r.code != want {
			t.Errorf("%s: want exit code %d for a leaked token, got %d: %s", span, want, r.code, r.stdout)
		}
	}
}

// TestCallers_AuthLeftOut: where an option of the device leaves out who it was (exclude=/auth), it is not said that there was no valid token.
func TestCallers_AuthLeftOut(t *testing.T) {
	withoutVault(t)
	text := regexp.MustCompile(`"auth":\{.*?"token_type":"service"\},`).ReplaceAllString(logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...), "")
	r := mustJSON(t, text, "-")
	if r.count("given") != 1 || r.all("readings", "who") == "" || strings.Contains(r.all("readings", "who"), "no valid") {
		t.Errorf("want one token given, to somebody with a valid Vault token, got %v", r["readings"])
	}
}

// TestObjects_UnansweredWrite: a write whose response is missing may have been stored, and where the config points now is not certain.
func TestObjects_UnansweredWrite(t *testing.T) {
	withoutVault(t)
	write := func(url string, answered bool) Request {
		return Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", NoResponse: !answered,
			Data: map[string]any{"token_url": url}}
	}
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(write("https://login.example.com/", true))
		l.Do(write("https://elsewhere.example.net/", false))
	}, tuned()...))
	if got := r.all("objects", "state"); !strings.Contains(got, "elsewhere.example.net") && !strings.Contains(got, "unanswered") {
		t.Errorf("the config may point to elsewhere.example.net, and the report says: %s", got)
	}
}

// TestDatabase_NameOfAnyLetters: a name may have letters that mean something in a URI.
func TestDatabase_NameOfAnyLetters(t *testing.T) {
	withoutVault(t)
	path := logFile(t, (*Log).Day)
	for _, name := range []string{"a?b.db", "a%41.db", "a#b.db"} {
		dir := t.TempDir()
		must(t, "", "-db="+filepath.Join(dir, name), path)
		made, err := os.ReadDir(dir)
		if err != nil || len(made) != 1 || made[0].Name() != name {
			t.Errorf("want the database in %s and nowhere else, got %v, %v", name, made, err)
		}
	}
}

// TestSpan_YearsFarAway: a year that nanoseconds of 64 bits do not reach is no other year.
func TestSpan_YearsFarAway(t *testing.T) {
	withoutVault(t)
	path := logFile(t, (*Log).Day, tuned()...)
	for _, span := range []string{"-until=9999-12-31", "-since=1026-03-01"} {
		if r := runWith(t, "", "-format=json", span, path); r.code != exitOK || !strings.Contains(r.stdout, `"given":42`) {
			t.Errorf("%s: want 42 tokens given, got exit code %d: %s", span, r.code, r.stderr)
		}
	}
}

// TestVault_WithoutAuditDevices: a Vault that lists none is told in words.
func TestVault_WithoutAuditDevices(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":{}}`)
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "invented-vault-token")
	if r := runWith(t, Token(1), "-token-file=-", logFile(t, (*Log).Day)); r.code != exitFailed || strings.Contains(r.stderr, "%!") {
		t.Errorf("want exit code 1 and words, got %d: %s", r.code, r.stderr)
	}
}

// TestSpan_ReceiverListedOnce: a reader who read before and after -since is one row of the receivers.
func TestSpan_ReceiverListedOnce(t *testing.T) {
	withoutVault(t)
	people := People()
	path := logFile(t, func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[0], "gate", Token(1), "gst")
		l.Wait(time.Hour)
		l.Read(people[0], "billing", Token(1), "gst")
	}, tuned()...)
	r := mustJSON(t, Token(1), "-token-file=-", "-since=2026-03-01T08:30", path)
	seen := map[string]bool{}
	for _, l := range r["receivers"] {
		if row := l.text("who") + " " + l.text("role"); seen[row] {
			t.Errorf("%s is listed twice", row)
		} else {
			seen[row] = true
		}
	}
}
