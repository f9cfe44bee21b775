// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// moved is a day on which the mount is moved to tax/ and deleted there, after a config was written.
func moved(l *Log) {
	omar := People()[4]
	l.Do(Request{By: omar, Operation: "create", Mount: mountPath, Path: "config/gst", Data: map[string]any{"username": "api-user"}})
	l.Read(People()[0], "billing", Token(1), "gst")
	l.Do(Request{By: omar, Operation: "update", Mount: "sys/", Path: "remount", Data: map[string]any{"from": mountPath, "to": "tax/"}, Answer: map[string]any{}})
	l.Wait(time.Minute)
	l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
}

func TestMount_Moved(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", moved, tuned()...), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	text = strings.ReplaceAll(text, "tax_0a1b2c3d", "mastersindia_0a1b2c3d")
	wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha userpass-bina", "")
	r := mustJSON(t, text, "-")
	if r.count("given") != 2 || !strings.Contains(r.all("changes", "path"), "sys/remount") ||
		!strings.Contains(r.all("notes", "text"), "to mastersindia/ until") || r.all("objects", "path") != "tax/config/gst" {
		t.Errorf("the move is not followed: %v %v %v", r["changes"], r["notes"], r["objects"])
	}
}

// TestMount_MovedOutOfSight: under a name of its own the plugin's new path cannot be found, and nobody is cleared.
func TestMount_MovedOutOfSight(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", moved, tuned()...), "mastersindia_0a1b2c3d", "my-plugin_0a1b2c3d")
	r := runWith(t, Token(1), "-token-file=-", file(t, text))
	if r.code != exitIncomplete || !strings.Contains(r.stdout, "cannot be followed") {
		t.Errorf("want exit code 3 and a note, got %d: %s", r.code, r.stdout)
	}
}

func TestMount_DisabledPointsNowhere(t *testing.T) {
	withoutVault(t)
	config := Request{By: People()[4], Operation: "create", Mount: mountPath, Path: "config/gst", Data: map[string]any{"username": "api-user"}}
	disable := Request{By: People()[4], Operation: "delete", Mount: "sys/", Path: "mounts/mastersindia"}
	r := mustJSON(t, "", logFile(t, func(l *Log) { l.Do(config); l.Do(disable) }, tuned()...))
	if got := r.all("objects", "state"); got != "the mount was disabled" {
		t.Errorf("the config is said to point to %q", got)
	}
}

// TestMount_MovedAndDisabled: what happens to the mount at its new path is in lines that have neither its old path nor its type.
func TestMount_MovedAndDisabled(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", func(l *Log) {
		moved(l)
		l.Do(Request{By: People()[4], Operation: "delete", Mount: "sys/", Path: "mounts/tax"})
	}, tuned()...), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	text = strings.ReplaceAll(text, "tax_0a1b2c3d", "mastersindia_0a1b2c3d")
	r := mustJSON(t, text, "-")
	if got := r.all("objects", "state"); got != "the mount was disabled" || !strings.Contains(r.all("changes", "path"), "sys/mounts/tax") {
		t.Errorf("the mount was disabled at tax/, and a config of it is said to point to %q; changes: %s", got, r.all("changes", "path"))
	}
}

// TestMount_MovedAndDenied: Vault logs what it denies with the path of the mount and without its accessor.
func TestMount_MovedAndDenied(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", moved, tuned()...), "tax_0a1b2c3d", "mastersindia_0a1b2c3d")
	denied := logOf(t, "", func(l *Log) {
		l.n = 100
		l.Wait(2 * time.Minute)
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Error: "1 error occurred:\n\t* permission denied\n\n", Denied: true})
	})
	r := mustJSON(t, strings.ReplaceAll(text+denied, `"mount_type":"tax"`, `"mount_type":"mastersindia"`), "-")
	if r.count("denied") != 1 || r.all("refusals", "who") != "userpass-bina" {
		t.Errorf("want userpass-bina denied at the new path of the mount, got %v", r["refusals"])
	}
}

// TestMount_OtherOneOfTheEngine: what happens to another mount of the engine is no change of this one.
func TestMount_OtherOneOfTheEngine(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: "mastersindia-test/", Path: "token/billing", Answer: l.Answer(Token(2), "gst"), Lease: true})
		l.Do(Request{By: People()[4], Operation: "delete", Mount: "sys/", Path: "mounts/mastersindia-test"})
	}, tuned()...)
	r := mustJSON(t, text, "-")
	if r.count("changes") != 0 || r.count("given") != 1 {
		t.Errorf("want no change of %s, got %v", mountPath, r["changes"])
	}
}

// TestMount_MovedAndUnanswered: a request without a response has no accessor of the mount, and counts at its new path too.
func TestMount_MovedAndUnanswered(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		moved(l)
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", NoResponse: true})
	}, tuned()...)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "tax_0a1b2c3d", "mastersindia_0a1b2c3d"), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	if r := mustJSON(t, text, "-"); r.count("unanswered") != 1 || r.count("given") != 2 {
		t.Errorf("want two tokens given and one read unanswered, got %v", r["summary"])
	}
}

// ofTheEngine makes the mount tax/ of a log one of the engine.
func ofTheEngine(text string) string {
	return strings.NewReplacer(`"mount_type":"tax"`, `"mount_type":"mastersindia"`, "tax_0a1b2c3d", "mastersindia_1b2c3d4e").Replace(text)
}

// TestMount_NamedToken: the lease tells mount and role of an unwrapping, also where the mount's name ends in token.
func TestMount_NamedToken(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		unwrapped := unwrap(People()[1], "w", l.Answer(Token(1), "gst"))
		unwrapped.Lease = true
		l.Do(unwrapped)
		l.Do(Request{By: People()[0], Operation: "read", Mount: "gst-token/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	}, tuned()...)
	text = strings.ReplaceAll(text, `"lease_id":"sys/wrapping/unwrap/`, `"lease_id":"gst-token/token/billing/`)
	r := mustJSON(t, ofTheEngine(text), "-mount=gst-token", "-")
	if got := r.all("readings", "who") + " " + r.all("readings", "role"); got != "userpass-asha; userpass-bina billing; billing" {
		t.Errorf("two were given the token through the role billing, and the report lists %s", got)
	}
}

// TestMount_MovedInAnyOrder: the note of a move is the same whether the halves of a request stand side by side or not.
func TestMount_MovedInAnyOrder(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Wait(995 * time.Millisecond)
		l.Do(Request{By: People()[4], Operation: "create", Mount: mountPath, Path: "config/gst", Data: map[string]any{"username": "api-user"}})
		l.Do(Request{By: People()[4], Operation: "update", Mount: "sys/", Path: "remount", Data: map[string]any{"from": mountPath, "to": "tax/"}, Answer: map[string]any{}})
		l.Wait(990 * time.Millisecond)
		l.Do(Request{By: People()[4], Operation: "create", Mount: "tax/", Path: "config/gst", Data: map[string]any{"username": "api-user"}})
	}, tuned()...)
	text = strings.NewReplacer(`"mount_type":"tax"`, `"mount_type":"mastersindia"`, "tax_0a1b2c3d", "mastersindia_0a1b2c3d").Replace(text)
	var requests, responses string
	for line := range strings.Lines(text) {
		if strings.Contains(line, `"type":"request"`) {
			requests += line
		} else {
			responses += line
		}
	}
	if apart, together := must(t, "", file(t, requests), file(t, responses)), must(t, "", file(t, text)); apart != together {
		t.Errorf("apart:\n%.400s\nside by side:\n%.400s", apart, together)
	}
}

// TestMovedMount_FromAnotherNamespace: -namespace names where the mount is now, and who read from it before is listed, too.
func TestMovedMount_FromAnotherNamespace(t *testing.T) {
	withoutVault(t)
	before := strings.ReplaceAll(logOf(t, "", readByAsha, tuned()...), `"namespace":{"id":"root"}`, `"namespace":{"id":"x1","path":"team/"}`)
	before = strings.ReplaceAll(before, `"mount_point":"`, `"mount_point":"team/`)
	after := logOf(t, "", func(l *Log) {
		l.n, l.issued[Token(1)] = 50, l.now
		l.Wait(time.Hour)
		l.Do(Request{By: People()[4], Operation: "update", Mount: "sys/", Path: "remount",
			Data: map[string]any{"from": "team/" + mountPath, "to": mountPath}, Answer: map[string]any{}})
		l.Read(People()[1], "billing", Token(1), "gst")
	}, tuned()...)
	for _, namespace := range []string{"root", "*"} {
		r := mustJSON(t, before+after, "-namespace="+namespace, "-")
		if who := r.all("readings", "who"); who != "userpass-bina; userpass-asha" {
			t.Errorf("-namespace=%s: want both readers, got %q", namespace, who)
		}
		if notes := r.all("notes", "text"); !strings.Contains(notes, "requests came to team/"+mountPath+" until") {
			t.Errorf("-namespace=%s: no note says that the mount was moved: %s", namespace, notes)
		}
	}
	wantLeak(t, search(t, Token(1), file(t, ofTheEngine(before+after))), exitOK, "userpass-asha userpass-bina", "")
}

// TestMount_MadeAnewUnseen: a mount was disabled in a log that is not here, and made anew at its path. What it had points nowhere now.
func TestMount_MadeAnewUnseen(t *testing.T) {
	withoutVault(t)
	write := func(wait time.Duration, username string) string {
		return logOf(t, "", func(l *Log) {
			l.n = int(wait / time.Hour)
			l.Wait(wait)
			l.Do(Request{By: People()[4], Operation: "create", Mount: mountPath, Path: "config/gst", Data: map[string]any{"username": username}})
		}, "username")
	}
	again := strings.ReplaceAll(write(24*time.Hour, "new-user"), "0a1b2c3d", "99999999")
	r := mustJSON(t, "", file(t, again+write(0, "old-user")))
	if got := r.all("objects", "state"); got != "another mount is at this path now; username=new-user" {
		t.Errorf("want that the older mount has gone, got %q", got)
	}
}
