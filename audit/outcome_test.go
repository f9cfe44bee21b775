// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// What became of a request: denied by Vault, refused by the engine, forwarded to another node, unanswered, or not known.

package main

import (
	"strconv"
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

// TestForwarded_IsNotRefused: a standby logs what it forwards as an error, under the same id or another.
func TestForwarded_IsNotRefused(t *testing.T) {
	withoutVault(t)
	standby := func(same bool) string {
		n := 0
		if !same {
			n = 5000
		}
		return logOf(t, "", func(l *Log) {
			l.n = n
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "1 error occurred:\n\t* cannot write to readonly storage\n\n"})
		}, "token_id")
	}
	active := logOf(t, "", func(l *Log) { l.Wait(5 * time.Millisecond); l.Read(People()[0], "billing", Token(1), "gst") }, "token_id")
	for _, same := range []bool{true, false} {
		r := mustJSON(t, standby(same)+active, "-")
		if r.count("refused") != 0 || r.count("given") != 1 || r.count("requests") != 1 || len(r["refusals"]) != 0 {
			t.Errorf("same id %t: want one read, got %v, %v", same, r["summary"], r["refusals"])
		}
		wantLeak(t, search(t, Token(1), file(t, standby(same)+active)), exitOK, "userpass-asha", "")
	}
	wantLeak(t, search(t, Token(1), file(t, standby(false))), exitIncomplete, "", "userpass-asha")
}

// TestDenied_ByPoliciesOnly: an upstream may say "permission denied" as well.
func TestDenied_ByPoliciesOnly(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "config \"gst\": upstream: permission denied"})
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "permission denied", Denied: true})
	}))
	if r.count("refused") != 1 || r.count("denied") != 1 {
		t.Errorf("want one of each, got %v", r["summary"])
	}
}

// TestDenied_NotByAQuota: Vault logs what a rate limit holds back without any caller, whose Vault token may be valid.
func TestDenied_NotByAQuota(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Raw(`{"time":"2026-03-01T08:00:00Z","type":"request","auth":{"token_type":"default"},"request":{"id":"cebbcee2-1c0f-92ce-fd63-16e6caca6fa9",` +
			`"operation":"read","mount_class":"secret","namespace":{"id":"root"},"path":"mastersindia/token/billing","remote_address":"10.1.0.11"},` +
			`"error":"request path \"mastersindia/token/billing\": rate limit quota exceeded"}`)
	}))
	if r.count("denied") != 0 || r.count("refused") != 1 || strings.Contains(r.all("refusals", "who"), "no valid") {
		t.Errorf("want one refusal of somebody who is not known, got %v", r["refusals"])
	}
}

// TestDelete_OfNothing: the engine warns that there was nothing of that name, and nothing was changed.
func TestDelete_OfNothing(t *testing.T) {
	withoutVault(t)
	const warning = `Nothing was deleted: role "gaet" does not exist; did you mean gate?`
	text := logOf(t, "", func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "delete", Mount: mountPath, Path: "role/gaet"})
	})
	text = strings.ReplaceAll(text, `"response":{`, `"response":{"warnings":[`+strconv.Quote(warning)+`],`)
	r := mustJSON(t, text, "-")
	if r.count("changes") != 0 || len(r["objects"]) != 0 || r.all("refusals", "error") != warning {
		t.Errorf("want a refusal with the warning and no change, got %v, %v, %v", r["summary"], r["objects"], r["refusals"])
	}
}

// TestDenied_WithoutOperation: Vault logs a request with a method that means nothing to it (HEAD, OPTIONS) without an operation, and denies
// it. Nothing is missing in such a log.
func TestDenied_WithoutOperation(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Mount: mountPath, Path: "token/billing", Denied: true, Error: "1 error occurred:\n\t* permission denied\n\n"})
	}, tuned()...)
	text = strings.ReplaceAll(text, `"operation":"",`, "")
	wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha", "")
	if r := mustJSON(t, text, "-"); r.count("denied") != 1 {
		t.Errorf("want one denial, got %v", r["summary"])
	}
}

// TestDenied_WithoutErrorField: a device may leave out the error, and the policy results still tell who was denied. Where it leaves out these alone, nobody is taken for denied.
func TestDenied_WithoutErrorField(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		readByAsha(l)
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "1 error occurred:\n\t* permission denied\n\n", Denied: true})
		l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"token_url": "https://evil.example.com/"}, Error: "1 error occurred:\n\t* permission denied\n\n", Denied: true})
		l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "revoke/gst", Error: "1 error occurred:\n\t* permission denied\n\n", Denied: true})
	}, tuned()...)
	for range 6 {
		text = strings.Replace(text, `"error":"1 error occurred:\n\t* permission denied\n\n",`, "", 1)
	}
	if strings.Contains(text, "permission denied") || !strings.Contains(text, `"allowed":false`) {
		t.Fatal(text)
	}
	path := file(t, text)
	r := runWith(t, "", path)
	j := mustJSON(t, "", path)
	if strings.Contains(j.all("readings", "who"), "bina") || j.count("given") != 1 || j.count("denied") != 3 || strings.Contains(j.all("objects", "state"), "evil") {
		t.Errorf("exit code %d: bina was denied all, and the report says\n%s", r.code, r.stdout)
	}
	allowed := strings.ReplaceAll(logOf(t, "", readByTwo, tuned()...), `"policy_results":{"allowed":true}`, `"policy_results":{}`)
	wantLeak(t, search(t, Token(1), file(t, allowed)), exitOK, "userpass-asha userpass-bina", "")
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
