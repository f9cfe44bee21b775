// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDocs_QueriesRun runs the queries of docs/audit-queries.sql on the database of a day.
func TestDocs_QueriesRun(t *testing.T) {
	withoutVault(t)
	text, err := os.ReadFile("../docs/audit-queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "audit.db")
	must(t, "", "-db="+path, logFile(t, func(l *Log) {
		l.Day()
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "wrapping-9"})
		l.Do(Request{By: People()[1], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap", Data: map[string]any{"token": "wrapping-9"}, Answer: l.Answer(Token(2), "gst")})
		l.Wait(10 * 3600e9)
		l.Read(People()[0], "billing", Token(2), "gst")
		l.Read(People()[1], "billing", Token(2), "gst")
		l.Read(Caller{Name: "userpass-eve", Entity: "e", Remote: People()[0].Remote}, "billing", Token(2), "gst")
	}, tuned()...))
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	queries := strings.Split(strings.TrimSpace(string(text)), ";")
	if len(queries) < 11 {
		t.Fatalf("the document has %d queries", len(queries)-1)
	}
	for n, query := range queries[:len(queries)-1] {
		if !strings.Contains(query, "ORDER BY") {
			t.Errorf("query %d has no ORDER BY, so that its rows come in any order", n+1)
		}
	}
	for _, s := range sections(options{leaked: "x"}) {
		if s.ID != "summary" && !strings.Contains(s.query, "ORDER BY") {
			t.Errorf("the query of %s has no ORDER BY, so that its rows come in any order", s.ID)
		}
	}
	// Who unwrapped a read was given the token, who asked for it was not, and what was denied changed nothing.
	few := logFile(t, func(l *Log) {
		asha, bina, cron, erp, omar := People()[0], People()[1], People()[2], People()[3], People()[4]
		l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Error: "permission denied", Denied: true})
		l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(bina, "w", l.Answer(Token(1), "gst")))
		l.Do(Request{By: cron, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "v"})
		l.Do(unwrap(cron, "v", l.Answer(Token(1), "gst")))
		l.Do(Request{By: bina, Operation: "update", Mount: mountPath, Path: "config/gst", Error: "permission denied", Denied: true,
			Data: map[string]any{"token_url": "https://elsewhere.example.com/"}})
		l.Do(Request{By: omar, Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{"upstream": "unsupported"}}}})
		l.Wait(14 * time.Hour)
		l.Do(Request{By: erp, Operation: "read", Mount: mountPath, Path: "token/billing", Error: "permission denied", Denied: true})
		l.Do(Request{By: erp, Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true, NoRequest: true})
	}, tuned()...)
	for n, want := range []int{2, 5, 0, 1, 1, 3, 1, 1, 1, 0} {
		if got := countRows(t, few, queries[n]); got != want {
			t.Errorf("want %d rows, got %d: %s", want, got, queries[n])
		}
	}
	for _, query := range queries[:len(queries)-1] {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatalf("%v: %s", err, query)
		}
		if !rows.Next() {
			t.Errorf("finds nothing: %s", query)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// countRows counts what a query finds in the database of a log.
func countRows(t *testing.T, log, query string) (count int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.db")
	must(t, "", "-db="+path, log)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM ("+query+")").Scan(&count); err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	return count
}

// TestDocs_EveryParameterIsKnown: a parameter of a config or role that the lists here lack would be missing from CHANGES, and a secret of that
// name would raise no alarm.
func TestDocs_EveryParameterIsKnown(t *testing.T) {
	text, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("\n## `config/<name>`"))
	text, _, _ = bytes.Cut(text, []byte("\n## `role/`"))
	found := regexp.MustCompile("(?m)^- `(\\w+)`.*?: (.*)$").FindAllSubmatch(text, -1)
	if len(found) < 30 {
		t.Fatalf("the reference has %d parameters", len(found))
	}
	for _, m := range found {
		name := string(m[1])
		isOperation := strings.Contains(string(m[2]), "/v1/")
		if !isOperation && !parameterName.MatchString(name) && name != "keys" && name != "key_info" {
			t.Errorf("parameterName lacks %s", name)
		}
		if strings.Contains(string(m[2]), "never returned") && !isSecret(name, "") {
			t.Errorf("isSecret lacks %s", name)
		}
	}
}

// TestDocs_QueryOfRevokedTokens: a token that was wrapped before its revocation is no finding of the query, as it is no alarm.
func TestDocs_QueryOfRevokedTokens(t *testing.T) {
	withoutVault(t)
	people := People()
	path := logFile(t, func(l *Log) {
		readByAsha(l)
		l.Do(Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w", NoRequest: true})
		l.Wait(time.Minute)
		l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
		l.Wait(time.Minute)
		l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
	}, tuned()...)
	alarms := mustJSON(t, "", path).all("alarms", "message")
	queries, err := os.ReadFile("../docs/audit-queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, q, _ := strings.Cut(string(queries), "-- Which tokens were given after their revocation?")
	_, q, _ = strings.Cut(q, "\n")
	q, _, _ = strings.Cut(q, ";")
	n := countRows(t, path, q)
	if n > 0 && alarms == "" {
		t.Errorf("the query has %d rows, and the report no alarm", n)
	}
}
