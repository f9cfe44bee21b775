// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestObjects_WriteWithoutAnswer: what such a write may have stored stays in doubt after the next write.
func TestObjects_WriteWithoutAnswer(t *testing.T) {
	withoutVault(t)
	write := func(name, value string, noResponse bool) Request {
		return Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "role/billing", NoResponse: noResponse,
			Data: map[string]any{name: value}}
	}
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(write("config", "gst", false))
		l.Do(write("config", "other", true))
		l.Do(write("max_ttl", "5m", false))
	}, tuned()...))
	if got := r.all("objects", "state"); got != "config=other (not known), max_ttl=5m" {
		t.Errorf("billing may point to gst, and the report says %q", got)
	}
}

// TestTokens_OfTwoConfigs: one token may come from two configs, and neither is named for the other.
func TestTokens_OfTwoConfigs(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		readByAsha(l)
		l.Read(People()[1], "filing", Token(1), "other")
	}, tuned()...))
	if got := r.all("tokens", "config"); got != "gst,other" {
		t.Errorf("want both configs, got %q", got)
	}
}

// TestNames_WithLettersOfTokens: the first letters of a JWT within a name are none.
func TestNames_WithLettersOfTokens(t *testing.T) {
	withoutVault(t)
	by := Caller{Name: "ldap-mickeyJohansson", Entity: "11111111-0000-4000-8000-000000000077", Remote: "10.0.0.1", Policies: []string{"default"}}
	report := must(t, "", logFile(t, func(l *Log) {
		l.Read(by, "moneyJarBilling01", Token(1), "gst")
		l.Read(by, "moneyJarBilling02", Token(1), "gst")
	}, tuned()...))
	if !strings.Contains(report, by.Name) || !strings.Contains(report, "moneyJarBilling02") || strings.Contains(report, "Alarm") {
		t.Errorf("a name is taken for a secret:\n%s", report)
	}
}

// TestFallback_HasNotAll: such a device has only what the filters of all others left out.
func TestFallback_HasNotAll(t *testing.T) {
	deviceWith(t, map[string]string{"fallback": "true"})
	if got := search(t, Token(1), file(t, logOf(t, "key", readByAsha, tuned()...))); got.code != exitIncomplete {
		t.Errorf("Vault lists a fallback device: %+v", got)
	}
	withoutVault(t)
	got := search(t, Token(1), logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: "sys/", Path: "audit/rest", Answer: map[string]any{}, Data: map[string]any{
			"type": "file", "options": map[string]any{"file_path": "/var/log/audit.log", "fallback": "true"}}})
		readByAsha(l)
	}, tuned()...))
	if got.code != exitIncomplete {
		t.Errorf("the log tells of a fallback device: %+v", got)
	}
}

// TestExclude_WholeRequest: a line without its request is none of those that are known to be about something else.
func TestExclude_WholeRequest(t *testing.T) {
	withoutVault(t)
	lost := logOf(t, "", func(l *Log) {
		l.n, l.issued[Token(1)] = 50, l.now
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
	}, tuned()...)
	if got := search(t, Token(1), file(t, logOf(t, "", readByAsha, tuned()...)+without(t, lost, "request"))); got.code != exitIncomplete {
		t.Errorf("a line lacks its request: %+v", got)
	}
}

// TestSummary_WhoAskedForAWrappedToken was given none, unless nobody is seen to unwrap it.
func TestSummary_WhoAskedForAWrappedToken(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(Request{By: People()[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(People()[1], "w", l.Answer(Token(1), "gst")))
	}, tuned()...))
	if r.count("callers") != 1 {
		t.Errorf("want 1 caller who got a token, got %d", r.count("callers"))
	}
}

// without returns the log with a field of each line left out, as by an option exclude.
func without(t *testing.T, text string, path ...string) string {
	t.Helper()
	return replaced(t, text, strings.Join(path, "."), nil)
}

// replaced is a log with the value at a path of the JSON of each line replaced, or taken out where it is nil.
func replaced(t *testing.T, text, path string, value any) string {
	t.Helper()
	var b strings.Builder
	for _, line := range split(text) {
		var all map[string]any
		if err := json.Unmarshal([]byte(line), &all); err != nil {
			t.Fatal(err)
		}
		names, at := strings.Split(path, "."), all
		for _, name := range names[:len(names)-1] {
			at, _ = at[name].(map[string]any)
		}
		switch last := names[len(names)-1]; {
		case at[last] == nil:
		case value == nil:
			delete(at, last)
		default:
			at[last] = value
		}
		out, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(out, '\n'))
	}
	return b.String()
}

// TestExclude_Response: what was refused cannot be told where the device leaves out the response or its data.
func TestExclude_Response(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		readByAsha(l)
		l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"token_url": "https://evil.example.com/"}, Answer: map[string]any{"error": "token_url: must be ..."}})
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/other", Answer: map[string]any{"error": "no such role"}})
	}, tuned()...)
	for _, field := range [][]string{{"response"}, {"response", "data"}} {
		path := file(t, without(t, text, field...))
		r := mustJSON(t, "", path)
		if code := runWith(t, "", path).code; code == exitOK || !strings.Contains(r.all("notes", "text"), "Lines lack response.data") {
			t.Errorf("without %v: bina's change was refused; it is listed as %s, configs point to %s, exit code %d, notes %q", field, r.all("changes", "outcome"), r.all("objects", "state"), code, r.all("notes", "text"))
		}
	}
}

// TestExclude_RequestData: where a config or role points is not known without the data of its writes.
func TestExclude_RequestData(t *testing.T) {
	withoutVault(t)
	full := logOf(t, "", func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "create", Mount: mountPath, Path: "role/billing", Data: map[string]any{"config": "gst"}})
	}, tuned()...)
	later := logOf(t, "", func(l *Log) {
		l.n = 50
		l.Wait(time.Hour)
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "role/billing", Data: map[string]any{"config": "ksa"}})
	}, tuned()...)
	path := file(t, full+without(t, later, "request", "data"))
	r := mustJSON(t, "", path)
	if code := runWith(t, "", path).code; code == exitOK || !strings.Contains(r.all("notes", "text"), "Lines lack request.data") {
		t.Errorf("the role points to ksa; the report says %q (changed %s), exit code %d, notes %q", r.all("objects", "state"), r.all("objects", "changed"), code, r.all("notes", "text"))
	}
}

// TestObjects_PresetWrittenAgain: a preset replaces the address that was written before, and not that of the same or a later write.
func TestObjects_PresetWrittenAgain(t *testing.T) {
	withoutVault(t)
	preset, address := map[string]any{"preset": "einvoice-production"}, map[string]any{"token_url": "https://login.example.com/", "username": "u"}
	both := map[string]any{"preset": "einvoice-production", "token_url": "https://login.example.com/", "username": "u"}
	const all = "preset=einvoice-production, token_url=https://login.example.com/, username=u"
	for _, c := range []struct {
		writes []map[string]any
		want   string
	}{
		{[]map[string]any{preset, address}, all},
		{[]map[string]any{both}, all},
		{[]map[string]any{address, preset}, "preset=einvoice-production, username=u"},
		{[]map[string]any{address, {"preset": ""}}, strings.Replace(all, "einvoice-production", "", 1)}, // names none
	} {
		r := mustJSON(t, "", logFile(t, func(l *Log) {
			for _, data := range c.writes {
				l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: data})
				l.Wait(time.Hour)
			}
		}, tuned()...))
		if got := r.all("objects", "state"); got != c.want {
			t.Errorf("%v: want %q, got %q", c.writes, c.want, got)
		}
	}
}
