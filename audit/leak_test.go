// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// TestLeak_NobodyIsClearedUnjudged are logs that leave something open. In each, bina was certainly given the token.
func TestLeak_NobodyIsClearedUnjudged(t *testing.T) {
	people := People()
	read := func(by Caller) Request {
		return Request{By: by, Operation: "read", Mount: mountPath, Path: "token/billing"}
	}
	certain := func(l *Log) { l.Read(people[1], "billing", Token(1), "gst") }
	for name, test := range map[string]struct {
		fill     func(*Log)
		shown    []string
		possible string
	}{
		"a response without data": {func(l *Log) { certain(l); l.Do(read(people[0])) }, nil, "userpass-asha"},
		"nothing tells which key hashed the line": {func(l *Log) { certain(l); l.Read(people[0], "billing", Token(2), "gst") },
			[]string{"token_type", "config"}, "userpass-asha"},
		"an unwrapping without its response": {func(l *Log) {
			certain(l)
			wrapped := read(people[0])
			wrapped.Wrap = "w"
			l.Do(wrapped)
			l.Do(Request{By: people[3], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap", Data: map[string]any{"token": "w"}, NoResponse: true})
		}, nil, "kubernetes-erp-invoices userpass-asha"},
		"a role that was deleted and made anew": {func(l *Log) {
			l.Read(people[4], "other", Token(9), "another")
			l.Wait(10 * time.Minute)
			l.Do(Request{By: people[4], Operation: "delete", Mount: mountPath, Path: "role/other"})
			certain(l)
			again := read(people[0])
			again.Path, again.NoResponse = "token/other", true
			l.Do(again)
		}, tuned(), "userpass-asha"},
	} {
		vaultWith(t, map[string]string{"file": "key"})
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, logOf(t, "key", test.fill, test.shown...))), exitIncomplete, "userpass-bina", test.possible)
	}
}

// TestLeak_HalvesOfTwoDevices: what one device has of the response may be all that there is of it.
func TestLeak_HalvesOfTwoDevices(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	read := func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") }
	asked, answered := strings.SplitAfter(logOf(t, "key", read), "\n"), strings.SplitAfter(logOf(t, "former key", read), "\n")
	wantLeak(t, search(t, Token(1), file(t, asked[0]+answered[1])), exitIncomplete, "", "userpass-asha")
	wantLeak(t, search(t, Token(1), file(t, answered[0]+asked[1])), exitOK, "userpass-asha", "")
}

// TestLeak_UnwrappedIntoAnotherWrapping: the reader is who takes the token out, in whatever number of steps.
func TestLeak_UnwrappedIntoAnotherWrapping(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w1"})
		l.Do(Request{By: People()[1], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap", Data: map[string]any{"token": "w1"}, Wrap: "w2"})
		l.Do(Request{By: People()[3], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap", Data: map[string]any{"token": "w2"},
			Answer: l.Answer(Token(1), "gst")})
	}))
	wantLeak(t, search(t, Token(1), path), exitOK, "kubernetes-erp-invoices", "")
}

// TestLeak_OtherMountAndRawDevice: whoever was certainly given the token is named, through whichever mount of the engine.
func TestLeak_OtherMountAndRawDevice(t *testing.T) {
	withoutVault(t)
	reads := func(l *Log) {
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst")})
		l.Read(People()[0], "billing", Token(2), "gst")
	}
	for _, shown := range [][]string{{"token_id"}, {"access_token", "authorization", "token_type", "config", "issued_at"}} {
		text := strings.ReplaceAll(logOf(t, "", reads, shown...), `"mount_type":"tax"`, `"mount_type":"vault-plugin-secrets-mastersindia"`)
		wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-bina", "")
	}
}
