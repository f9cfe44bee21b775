// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Changes of which Vault does not know, or the log does not show, what became of them.

package main

import (
	"strings"
	"testing"
	"time"
)

// TestOutcome_NotKnown: the caller went away, or the plugin died, and the engine may have made the change all the same.
func TestOutcome_NotKnown(t *testing.T) {
	withoutVault(t)
	omar := People()[4]
	for _, text := range []string{
		"1 error occurred:\n\t* rpc error: code = Canceled desc = context canceled\n\n",
		"1 error occurred:\n\t* rpc error: code = DeadlineExceeded desc = context deadline exceeded\n\n",
		"1 error occurred:\n\t* rpc error: code = Unavailable desc = error reading from server: EOF\n\n",
		"1 error occurred:\n\t* context deadline exceeded\n\n", "context canceled", "",
	} {
		path := logFile(t, func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			for _, r := range []Request{
				{Operation: "update", Path: "config/gst", Data: map[string]any{"token_url": "https://login.example.com/"}},
				{Operation: "update", Path: "role/billing", Data: map[string]any{"config": "cards"}},
				{Operation: "delete", Path: "role/other"},
				{Operation: "update", Path: "rotate/gst"},
				{Operation: "update", Path: "revoke/gst", Data: map[string]any{"token_id": l.id(1)}},
			} {
				r.By, r.Mount, r.Error, r.NoResponse = omar, mountPath, text, text == ""
				l.Do(r)
			}
		}, tuned()...)
		r, report := runWith(t, "", path), mustJSON(t, "", path)
		if got := report.all("changes", "outcome"); got != strings.TrimSuffix(strings.Repeat("not known; ", 5), "; ") || len(report["refusals"]) > 0 {
			t.Errorf("%q: the changes are %q, refused %d", text, got, len(report["refusals"]))
		}
		if got := report.all("objects", "state"); !strings.Contains(got, "config=cards (not known)") || !strings.Contains(got, "login.example.com/ (not known)") {
			t.Errorf("%q: where they point now: %q", text, got)
		}
		if got := report["revocations"]; len(got) != 1 || got[0].text("token_id") != tokenID(Token(1)) || got[0].text("upstream") != "not known" ||
			!strings.Contains(got[0].text("receivers"), "userpass-asha") {
			t.Errorf("%q: the revocations are %v", text, got)
		}
		if r.code != exitIncomplete || !strings.Contains(r.stdout, "The outcome of 5 changes or revocations is not known") {
			t.Errorf("%q: exit code %d and\n%s", text, r.code, r.stdout)
		}
	}
}

// TestOutcome_Known: what the engine itself says, and a read whose caller went away, leave nothing open.
func TestOutcome_Known(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Error: "1 error occurred:\n\t* a login failed: context deadline exceeded\n\n"})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{}}})
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "1 error occurred:\n\t* rpc error: code = Canceled desc = context canceled\n\n"})
	}, tuned()...)
	report := mustJSON(t, "", path)
	if got := report.all("refusals", "outcome"); got != "refused; refused" || len(report["revocations"]) != 0 {
		t.Errorf("outcomes %q, revocations %v", got, report["revocations"])
	}
	wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha", "")
}

// TestOutcome_WrappedRevocation: which tokens were revoked is in a response that was wrapped.
func TestOutcome_WrappedRevocation(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Wrap: "w"})
		l.Wait(time.Hour)
		l.Read(People()[1], "billing", Token(2), "gst")
	}, tuned()...)
	r, report := runWith(t, "", path), mustJSON(t, "", path)
	if got := report["revocations"]; len(got) != 1 || got[0].text("config") != "gst" || got[0].text("receivers") != "not known" || r.code != exitIncomplete {
		t.Errorf("exit code %d, revocations %v", r.code, got)
	}
	if got := report.all("changes", "error"); !strings.Contains(got, "which tokens it revoked") {
		t.Errorf("the reason is %q", got)
	}
}

// TestRevoked_AndPassedOn: what a caller wrapped, and who named it as rejected, is told of a revoked token as of a leaked one.
func TestRevoked_AndPassedOn(t *testing.T) {
	people := People()
	unanswered := unwrap(people[1], "w", nil)
	unanswered.NoResponse = true
	wrap := Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"}
	rejected := func(by Caller) Request {
		return Request{By: by, Operation: "update", Mount: mountPath, Path: "token/billing", Data: map[string]any{"rejected_token_id": tokenID(Token(1))},
			Answer: map[string]any{"error": "x"}}
	}
	vaultWith(t, map[string]string{"file": "key"})
	for name, test := range map[string]struct {
		requests []Request
		notKnown bool
	}{
		"not unwrapped":      {[]Request{wrap}, true},
		"unanswered":         {[]Request{wrap, unanswered}, true},
		"as one text":        {[]Request{wrap, unwrap(people[1], "w", map[string]any{"http_raw_body": "x", "http_status_code": "200"})}, true},
		"named as rejected":  {[]Request{rejected(people[1])}, true},
		"named by a reader":  {[]Request{rejected(people[0])}, false},
		"under another name": {[]Request{wrap, unwrap(people[1], "w", map[string]any{"note": Token(1)})}, false},
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			for _, r := range test.requests {
				l.Do(r)
			}
			l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
				tokenID(Token(1)): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
			}}})
		}, append(tuned(), "rejected_token_id")...))
		got := mustJSON(t, "", "-audit-device=file", path).all("revocations", "receivers")
		if strings.Contains(got, "not known for 1 requests that name or wrap it") != test.notKnown || !strings.Contains(got, "asha") ||
			name == "under another name" && !strings.Contains(got, "bina") {
			t.Errorf("%s: receivers are %q", name, got)
		}
	}
}
