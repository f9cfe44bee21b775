// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// split is a log in its lines.
func split(text string) []string { return slices.Collect(strings.Lines(text)) }

// twoDevices is a log with the lines of two devices: the second leaves out a field or masks it.
func twoDevices(t *testing.T, field string, value any, fill func(l *Log)) string {
	t.Helper()
	return file(t, logOf(t, "key", fill, tuned()...)+replaced(t, logOf(t, "other", fill, tuned()...), field, value))
}

// TestTwoDevices_Refused: what one device shows as refused was refused, whatever the other one leaves out.
func TestTwoDevices_Refused(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key", "other": "other"})
	omar := People()[4]
	write := func(username, said string, answer map[string]any) Request {
		data := map[string]any{"username": username}
		return Request{By: omar, Operation: "update", Mount: mountPath, Path: "config/gst", Data: data, Error: said, Answer: answer}
	}
	for _, field := range []string{"response.data", "response", "error", "response.data.error"} {
		r := mustJSON(t, "", twoDevices(t, field, nil, func(l *Log) {
			l.Do(write("right", "", nil))
			if field == "error" {
				l.Do(write("wrong", "1 error occurred:\n\t* invalid request\n\n", nil))
			} else {
				l.Do(write("wrong", "", map[string]any{"error": "username: must not be wrong"}))
			}
		}))
		if got := r.all("objects", "state"); strings.Contains(got, "wrong") || r.count("changes") != 1 {
			t.Errorf("%s: a refused write counts: objects %q, %d changes", field, got, r.count("changes"))
		}
		read := Request{Operation: "read", Mount: mountPath, Path: "token/billing"}
		wantLeak(t, search(t, Token(1), twoDevices(t, field, nil, func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			read.By, read.Error = People()[1], "1 error occurred:\n\t* invalid request\n\n"
			l.Do(read)
			read.By, read.Error, read.Answer = People()[2], "", map[string]any{"error": "no"}
			l.Do(read)
		})), exitOK, "userpass-asha", "")
	}
}

// TestTwoDevices_Entity: a caller is the entity that one of two devices shows, also in requests that the other one has alone.
func TestTwoDevices_Entity(t *testing.T) {
	withoutVault(t)
	for _, mask := range []any{nil, "***"} {
		fill := func(l *Log) {
			for range 3 {
				for _, p := range People() {
					l.Read(p, "billing", Token(1), "gst")
				}
			}
		}
		some := split(logOf(t, "key", fill, tuned()...))[:len(People())*3]
		masked := replaced(t, replaced(t, logOf(t, "other", fill, tuned()...), "auth.entity_id", mask), "request.client_id", mask)
		r := mustJSON(t, Token(1), "-token-file=-", file(t, strings.Join(some, "")+masked))
		if n := r.count("callers"); n != len(People()) {
			t.Errorf("%v: %d people are %d callers", mask, len(People()), n)
		}
		for _, p := range People() {
			if got := r.all("receivers", "identity"); !strings.Contains(got, p.Entity) {
				t.Errorf("%v: %s is not named by the entity: %s", mask, p.Name, got)
			}
		}
	}
}

// TestTwoDevices_WrappedAnew: who unwraps into another wrapping was not given the token, though one device does not show that.
func TestTwoDevices_WrappedAnew(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key", "other": "other"})
	people := People()
	again := unwrap(people[3], "w1", nil)
	again.Wrap = "w2"
	for _, field := range []string{"response.wrap_info", "response.wrap_info.token", "response"} {
		wantLeak(t, search(t, Token(1), twoDevices(t, field, nil, func(l *Log) {
			l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w1"})
			l.Do(again)
			l.Do(unwrap(people[1], "w2", l.Answer(Token(1), "gst")))
		})), exitOK, "userpass-bina", "")
	}
	for _, field := range []string{"request.namespace", "request.mount_type", "request.mount_point"} {
		lines := split(replaced(t, logOf(t, "key", func(l *Log) {
			l.Read(people[1], "billing", Token(1), "gst")
			l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w1"})
			l.Do(again)
		}, tuned()...), field, nil))
		a := search(t, Token(1), file(t, strings.Join(lines, "")))
		if b := search(t, Token(1), file(t, strings.Join(append(lines[:4:4], lines[5], lines[4]), ""))); a != b {
			t.Errorf("%s: the order of lines tells who is possible:\n%+v\n%+v", field, a, b)
		}
	}
}

// TestTwoDevices_Shown: what one device hides and another one shows is shown.
func TestTwoDevices_Shown(t *testing.T) {
	withoutVault(t)
	fill := func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "role/billing", Data: map[string]any{"config": "gst"}})
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
			l.id(1): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"}}}})
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/other", Answer: map[string]any{"error": "config \"x\" does not exist"}})
	}
	r := mustJSON(t, "", file(t, logOf(t, "key", fill)+logOf(t, "other", fill, tuned()...)))
	if got := r.all("objects", "state"); got != "config=gst" {
		t.Errorf("the role's state is %q", got)
	}
	if len(r["revocations"]) != 1 {
		t.Errorf("one revocation of one token is %v", r["revocations"])
	}
	if got := r.all("refusals", "error"); !strings.Contains(got, "does not exist") {
		t.Errorf("error %q", got)
	}
}

// TestTwoDevices_Namespace: a device that leaves out the namespace makes no mount of another one.
func TestTwoDevices_Namespace(t *testing.T) {
	withoutVault(t)
	team := map[string]any{"id": "abc12", "path": "team/"}
	fill := func(l *Log) {
		for range 3 {
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Wait(time.Hour)
		}
	}
	whole := replaced(t, logOf(t, "key", fill, tuned()...), "request.namespace", team)
	for _, field := range []string{"request.namespace", "request.namespace.path"} {
		partial := replaced(t, replaced(t, logOf(t, "other", fill, tuned()...), "request.namespace", team), field, nil)
		for _, namespace := range []string{"*", "team", "root"} {
			a := mustJSON(t, "", "-namespace="+namespace, file(t, whole+partial))
			if b := mustJSON(t, "", "-namespace="+namespace, file(t, whole)); a.count("given") != b.count("given") || a.all("notes", "text") != b.all("notes", "text") {
				t.Errorf("%s, -namespace=%s: %d given, %s", field, namespace, a.count("given"), a.all("notes", "text"))
			}
		}
	}
}

// TestMasked_TokenIDOfOneDigit: what a collector makes of a token_id is none, also where it has the form of one.
func TestMasked_TokenIDOfOneDigit(t *testing.T) {
	withoutVault(t)
	for _, mask := range []string{"0000000000000000", "ffffffffffffffff", "xxxxxxxxxxxxxxxx"} {
		path := file(t, logOf(t, "key", func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") }, tuned()...)+
			replaced(t, logOf(t, "former", func(l *Log) {
				l.n = 50
				l.Wait(time.Hour)
				l.Read(People()[1], "billing", Token(1), "gst")
			}, tuned()...), "response.data.token_id", mask))
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestMasked_MountAccessors: a collector that masks them makes no mount of another.
func TestMasked_MountAccessors(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: "vault-plugin-secrets-mastersindia-tax/", Path: "token/billing",
			Answer: l.Answer(Token(2), "gst"), Lease: true})
	}, tuned()...)
	for _, mask := range []string{
		"***", "[REDACTED]", "xxxxxxxx", "mastersindia_***", "mastersindia_[REDACTED]", "mastersindia_xxxxxxxx", "mastersindia_XXXXXXXX",
		"mastersindia_REDACTED", "vault-plugin-secrets-mastersindia_xxxxxxxx", "mastersindia_0axxxxxx", "mastersindia_0a1b",
	} {
		masked := replaced(t, replaced(t, text, "request.mount_accessor", mask), "response.mount_accessor", mask)
		if got := mustJSON(t, masked, "-").all("readings", "who"); got != "userpass-asha" {
			t.Errorf("%q: who read from %s is %q", mask, mountPath, got)
		}
	}
}

// TestMasked_AddressOfTheResponse: that of the request counts, in whatever order the lines are.
func TestMasked_AddressOfTheResponse(t *testing.T) {
	withoutVault(t)
	lines := split(logOf(t, "key", readByTwo, tuned()...))
	want := mustJSON(t, strings.Join(lines, ""), "-").all("readings", "remote_addresses")
	for n := 1; n < len(lines); n += 2 {
		lines[n] = replaced(t, lines[n], "request.remote_address", "***")
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {0, 2, 1, 3}, {1, 0, 3, 2}} {
		var text string
		for _, n := range order {
			text += lines[n]
		}
		if got := mustJSON(t, text, "-").all("readings", "remote_addresses"); got != want {
			t.Errorf("%v: the addresses are %q, want %q", order, got, want)
		}
	}
}

// TestLeak_ShortTokenAsAName: an opaque token of few characters in place of the name of a parameter.
func TestLeak_ShortTokenAsAName(t *testing.T) {
	withoutVault(t)
	people, token := People(), "1Q6cyHbkXxYXcaTg1oEmHYkjJ"
	for _, data := range []map[string]any{{token: "x"}, {"data": map[string]any{token: "x"}}} {
		path := logFile(t, func(l *Log) {
			l.Read(people[0], "billing", token, "gst")
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: data, Wrap: "w"})
			l.Do(unwrap(people[1], "w", data))
		}, tuned()...)
		wantLeak(t, search(t, token, path), exitOK, "userpass-asha userpass-bina", "")
	}
}

// TestMasked_WhoUnwraps: callers who have no entity, and whose accessors and Vault tokens are masked, cannot be told apart by one name.
func TestMasked_WhoUnwraps(t *testing.T) {
	vaultWith(t, map[string]string{"file": "audit-device-key"})
	p := People()
	holder := func(name string) Caller { return Caller{Name: name, Remote: "10.1.0.9", Policies: []string{"default"}} }
	for name, second := range map[string]func(l *Log){
		"nobody else": func(*Log) {},
		"another who unwraps": func(l *Log) {
			l.Do(Request{By: p[3], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "v"})
			l.Do(unwrap(holder("token-b"), "v", l.Answer(Token(1), "gst")))
		},
		"another who wraps the token": func(l *Log) {
			l.Do(Request{By: holder("token-b"), Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "v"})
			l.Do(unwrap(p[1], "v", map[string]any{"note": Token(1)}))
		},
	} {
		text := logOf(t, "audit-device-key", func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: p[3], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
			l.Do(unwrap(holder("token-a"), "w", l.Answer(Token(1), "gst")))
			second(l)
		}, "issued_at")
		text = regexp.MustCompile(`"display_name":"token-[ab]"`).ReplaceAllString(text, `"display_name":"token"`)
		for _, mask := range []any{"***", "[REDACTED]", nil} {
			masked := text
			for _, field := range []string{"auth.accessor", "auth.client_token", "request.client_token", "request.client_token_accessor"} {
				masked = replaced(t, masked, field, mask)
			}
			if got := search(t, Token(1), file(t, masked)); got.code != exitIncomplete {
				t.Errorf("%s, %v: who unwrapped it is not known, and the report is complete: %+v", name, mask, got)
			}
		}
	}
}
