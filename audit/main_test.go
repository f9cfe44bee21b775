// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
		{[]string{"-since=2999-01-01", "f"}, "in the future"},
		{[]string{"-mount=/", "f"}, "vault secrets list"},
		{[]string{"f", "-since=1h"}, "options come first"},
		{[]string{"-nonsense", "f"}, "-help"},
		{[]string{"-token-file=-", "-"}, "read once"},
		{[]string{"-", "-"}, "read once"},
		{[]string{"-token=" + secret, "f"}, "command line"},
		{[]string{"-token", secret, "f"}, "command line"},
		{[]string{"-token=opaque", "f"}, "command line"}, // there is no such option
		{[]string{"--access-token", "opaque", "f"}, "command line"},
		{[]string{secret, "f"}, "command line"},
		{[]string{"-token-file=" + secret, "f"}, "command line"},
		{[]string{"-token-file=" + digits, "f"}, "command line"},
		{[]string{digits}, "command line"},
		{[]string{"-db", "Bearer " + secret, "f"}, "command line"},
		{[]string{"hvs.CAESIinventedinventedinvented", "f"}, "command line"},
		{[]string{"f", "s.inventedinventedinvented"}, "command line"}, // of OpenBao, as is the next one
		{[]string{"-mount=b.AAAAAQinvented-nvented", "f"}, "command line"},
		{[]string{"-token-file=hvs.txt", "-nonsense", "f"}, "-nonsense"},
		{[]string{""}, "is empty"}, // a shell's "$AUDIT_LOG" without a value
		{[]string{"-token-file=", "f"}, "is empty"},
		{[]string{"-token-file", "", "f"}, "is empty"},
		{[]string{"-audit-device=file", "f"}, "VAULT_TOKEN"},
	} {
		r := runWith(t, "", test.args...)
		if r.code != exitUsage || !strings.Contains(r.stderr, test.want) || r.stdout != "" || strings.Contains(r.stderr, secret) || strings.Contains(r.stderr, digits) || strings.Contains(r.stderr, "nvented") {
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
		{[]string{"-token-file=" + file(t, "ACCESS_TOKEN="+Token(1)), path}, "not one token"},
		{[]string{"-token-file=" + file(t, "export TOKEN='"+Token(1)+"'"), path}, "not one token"},
		{[]string{"-token-file=" + file(t, "token:"+Token(1)), path}, "not one token"},
		{[]string{"-token-file=" + file(t, "https://api.example.com/?token="+Token(1)), path}, "not one token"},
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

// noSpace is standard output on a full disk.
type noSpace struct{}

func (noSpace) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestDatabase_OnlyOfARunThatSucceeds: a run that fails removes the database that it made, so that the next one can make it, and no other file.
func TestDatabase_OnlyOfARunThatSucceeds(t *testing.T) {
	withoutVault(t)
	path, dir := logFile(t, (*Log).Day), t.TempDir()
	database, other := filepath.Join(dir, "audit.db"), file(t, "of somebody")
	ended, signal := context.WithCancel(t.Context())
	signal()
	for name, code := range map[string]int{
		"no log":      run(t.Context(), []string{"-db=" + database, filepath.Join(dir, "none")}, nil, io.Discard, io.Discard),
		"a signal":    run(ended, []string{"-db=" + database, path}, nil, io.Discard, io.Discard),
		"a full disk": run(t.Context(), []string{"-db=" + database, path}, nil, noSpace{}, io.Discard),
		"a file":      run(t.Context(), []string{"-db=" + other, path}, nil, io.Discard, io.Discard),
	} {
		if code != exitFailed {
			t.Errorf("%s: want exit code 1, got %d", name, code)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("failed runs leave %v, %v", left, err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "of somebody" {
		t.Errorf("a file that was there before is %q, %v", text, err)
	}
	if r := runWith(t, "", "-db="+database, "-mount=elsewhere", path); r.code != exitIncomplete {
		t.Errorf("want exit code 3, got %+v", r)
	}
	if _, err := os.Stat(database); err != nil {
		t.Error("the database of an incomplete report is gone: ", err)
	}
}

// TestSignal_WhileInputIsIdle: a signal ends the program, and the database is removed, also while it waits for standard input.
func TestSignal_WhileInputIsIdle(t *testing.T) {
	withoutVault(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, args := range [][]string{{"-"}, {"-token-file=-", logFile(t, readByAsha)}} {
		idle, _ := io.Pipe()
		ctx, signal := context.WithCancel(t.Context())
		ended := make(chan int)
		go func() { ended <- run(ctx, args, idle, io.Discard, io.Discard) }()
		time.AfterFunc(100*time.Millisecond, signal)
		select {
		case code := <-ended:
			if left, err := filepath.Glob(filepath.Join(temporary, "*.db*")); code != exitFailed || err != nil || len(left) > 0 {
				t.Errorf("%q: want exit code 1 and no database, got %d, %v, %v", args, code, left, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: it still waits", args)
		}
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

func TestExit_NothingOfTheMount(t *testing.T) {
	withoutVault(t)
	log := logOf(t, "", (*Log).Day)
	for text, args := range map[string][]string{log: {"-mount=elsewhere", "-"}, "": {"-"}, "no log at all\n": {"-"}} {
		if r := runWith(t, text, args...); r.code != exitIncomplete || !strings.Contains(r.stdout, "vault secrets list") {
			t.Errorf("%q: want exit code 3 and what to do, got %d: %s", args, r.code, r.stdout)
		}
	}
}
