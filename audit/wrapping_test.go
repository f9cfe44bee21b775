// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
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
