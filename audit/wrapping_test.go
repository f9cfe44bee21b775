// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// TestWrapping_IsFollowed: into another wrapping, to its reader where Vault keeps it, and from before the time span.
func TestWrapping_IsFollowed(t *testing.T) {
	withoutVault(t)
	asha, erp := People()[0], People()[3]
	wrapped := func(l *Log, wrapping string) {
		l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: wrapping})
	}
	path := logFile(t, func(l *Log) {
		wrapped(l, "wrapping-1")
		l.Do(Request{By: asha, Operation: "update", Mount: "sys/", Path: "wrapping/rewrap", Data: map[string]any{"token": "wrapping-1"}, Wrap: "wrapping-2"})
		l.Wait(2 * time.Hour)
		l.Do(Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-2"}, Answer: l.Answer(Token(1), "gst")})
		l.Do(Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-of-another-mount"}, Answer: map[string]any{"password": "x"}})
		wrapped(l, "wrapping-3")
		l.Raw(`{"time":"2026-03-01T11:00:00Z","type":"response","auth":{"display_name":"","policies":["response-wrapping"],"client_token":"` + l.HMAC("wrapping-3") + `"},` +
			`"request":{"id":"1","operation":"read","path":"cubbyhole/response","mount_point":"cubbyhole/","remote_address":"10.9.9.9"},` +
			`"response":{"data":{"response":"` + l.HMAC("all of it") + `"}}}`)
	}, "token_id")
	wantLeak(t, search(t, Token(1), path), exitIncomplete, erp.Name, "holder of the wrapping token")
	r := mustJSON(t, "", "-since=2026-03-01T09:00:00Z", path)
	found := false
	for _, l := range r["readings"] {
		found = found || l.text("who") == erp.Name && l.text("role") == "billing" && l.text("asked_by") == asha.Name
	}
	if !found || len(r["readings"]) != 3 {
		t.Errorf("want the unwrapping by %s of what %s asked for, got %v", erp.Name, asha.Name, r["readings"])
	}
}

// TestWrapping_RewrapIsNoChange: a wrapping that is wrapped anew changes nothing, and did not come to the mount.
func TestWrapping_RewrapIsNoChange(t *testing.T) {
	withoutVault(t)
	people := People()
	path := logFile(t, func(l *Log) {
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(Request{By: people[1], Operation: "update", Mount: "sys/", Path: "wrapping/rewrap", Data: map[string]any{"token": "w"}, Wrap: "w2"})
		l.Do(unwrap(people[1], "w2", l.Answer(Token(1), "gst")))
	}, tuned()...)
	r := mustJSON(t, "", path)
	if got := r["histogram"][0]; r.count("changes") != 0 || got.text("change") != "0" {
		t.Errorf("nothing was changed, and the timeline has %v", got)
	}
	if r.count("requests") != 1 {
		t.Errorf("one request came to the mount, and the summary has %d", r.count("requests"))
	}
}

// TestRefusals_SecondUnwrapping: Vault logs who comes late to a wrapping by the accessor alone. Whose it is, other lines tell.
func TestRefusals_SecondUnwrapping(t *testing.T) {
	withoutVault(t)
	asha, erp := People()[0], People()[3]
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(erp, "w", l.Answer(Token(1), "gst")))
		l.Raw(`{"auth":{"accessor":"` + l.HMAC("accessor "+asha.Name) + `","client_token":"` + l.HMAC("internal "+asha.Name) + `","token_type":"default"},` +
			`"error":"wrapping token is not valid or does not exist","request":{"client_token":"` + l.HMAC("external "+asha.Name) + `",` +
			`"client_token_accessor":"` + l.HMAC("accessor "+asha.Name) + `","data":{"token":"` + l.HMAC("w") + `"},"id":"cebbcee2-1c0f-92ce-fd63-16e6caca6fa9",` +
			`"mount_point":"sys/","namespace":{"id":"root"},"operation":"update","path":"sys/wrapping/unwrap","remote_address":"10.1.0.11"},` +
			`"time":"2026-03-01T08:00:01Z","type":"request"}`)
	}, tuned()...))
	if r.all("refusals", "identity") != asha.Entity {
		t.Errorf("want the refusal to be of %s, got %v", asha.Entity, r["refusals"])
	}
}

// TestRevoked_UnwrappedUnderAnotherName: who unwraps the token under whatever name was given it.
func TestRevoked_UnwrappedUnderAnotherName(t *testing.T) {
	withoutVault(t)
	people, note := People(), map[string]any{"note": Token(1)}
	path := logFile(t, func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: note, Wrap: "w"})
		l.Do(unwrap(people[1], "w", note))
		l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{l.id(1): map[string]any{}}}})
	}, tuned()...)
	if got := mustJSON(t, "", path).all("revocations", "receivers"); !strings.Contains(got, "userpass-asha") || !strings.Contains(got, "userpass-bina") {
		t.Errorf("userpass-asha and userpass-bina had been given the revoked token, and the report names %q", got)
	}
}

// TestRevoked_UnwrappedAfterwards: who unwraps after the revocation what was wrapped before it may have the revoked token, and so may who
// was answered then.
func TestRevoked_UnwrappedAfterwards(t *testing.T) {
	withoutVault(t)
	asha, bina := People()[0], People()[1]
	revoke := Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
		"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}}
	raw := map[string]any{"http_raw_body": "one text", "http_content_type": "application/json", "http_status_code": 200}
	for name, fill := range map[string]func(*Log){
		"wrapped before": func(l *Log) {
			l.Do(Request{By: bina, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
			l.Wait(time.Second)
			l.Do(revoke)
			l.Do(unwrap(bina, "w", raw))
		},
		"wrapped in another file": func(l *Log) { l.Do(revoke); l.Do(unwrap(bina, "w", raw)) },
		"answered afterwards": func(l *Log) {
			began := l.now
			slow := logOf(t, "another device's", func(o *Log) { o.n, o.now = 9000, began; o.Read(bina, "billing", Token(1), "gst") })
			l.Wait(time.Second)
			l.Do(revoke)
			answered := l.now.Add(time.Second).Format(time.RFC3339Nano)
			l.Raw(strings.TrimSpace(strings.Replace(slow, began.Add(5*time.Millisecond).Format(time.RFC3339Nano), answered, 1)))
		},
	} {
		path := logFile(t, func(l *Log) { l.Read(asha, "billing", Token(1), "gst"); fill(l) }, tuned()...)
		got := mustJSON(t, "", path).all("revocations", "receivers")
		if !strings.Contains(got, asha.Name) || !strings.Contains(got, "not known for 1 reads") {
			t.Errorf("%s: userpass-bina may have had the revoked token, too, and the report names %q alone", name, got)
		}
	}
}

// TestAlarm_RevokedTokenWrapped: the revoked token went to who unwrapped it, and not to who asked. Without the wrapped read in the log, it may
// have been before the revocation.
func TestAlarm_RevokedTokenWrapped(t *testing.T) {
	withoutVault(t)
	asha, erp := People()[0], People()[3]
	for _, read := range []bool{true, false} {
		text := logOf(t, "", func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
				"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
			l.Wait(time.Minute)
			if read {
				l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
			}
			unwrapped := unwrap(erp, "w", l.Answer(Token(1), "gst"))
			unwrapped.Lease = true
			l.Do(unwrapped)
		}, tuned()...)
		text = strings.ReplaceAll(text, `"lease_id":"sys/wrapping/unwrap/`, `"lease_id":"mastersindia/token/billing/`)
		r := mustJSON(t, "", file(t, text))
		got := r.all("alarms", "message")
		if strings.Contains(got, "a revoked token was handed out") != read || strings.Contains(got, erp.Name) != read {
			t.Errorf("with the wrapped read %t, want an alarm that names %s only with it, got %q", read, erp.Name, got)
		}
		if !strings.Contains(r.all("revocations", "receivers"), erp.Name) {
			t.Errorf("%s had the revoked token, and the revocation names %q", erp.Name, r.all("revocations", "receivers"))
		}
	}
}
