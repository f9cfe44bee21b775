// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMasked_Token: what collects the log masks or shortens the token. What is left says nothing against the token_id beside it.
func TestMasked_Token(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	for _, shown := range [][]string{tuned(), nil} {
		lines := strings.SplitAfter(logOf(t, "key", func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Read(People()[1], "billing", Token(1), "gst")
		}, shown...), "\n")
		for _, mask := range []string{
			"***", "[REDACTED]", "hmac-sha256:REDACTED", "", "hmac-sha256:$1…", "########", "xxxx-xxxx", "MASKED_VALUE", "(hidden)", "-----",
			"eyJhXXXXXXXXXXXX", digest("x") + digest("y"), // a pseudonym
		} {
			left := strings.Join(lines[:3], "") + regexp.MustCompile(`"(access_token|authorization)":"hmac-sha256:([0-9a-f]{20})[0-9a-f]*"`).
				ReplaceAllString(lines[3], `"$1":"`+strings.Replace(mask, "$1", "$2", 1)+`"`)
			if got := search(t, Token(1), file(t, left)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
				t.Errorf("tuned %t, %q: userpass-bina was given the token, and the report clears her: given to %q", shown != nil, mask, got.given)
			}
		}
	}
}

// TestMasked_PartOfAJWT: what is left of one in an unwrapping says nothing of which token that was. The token_id beside it does.
func TestMasked_PartOfAJWT(t *testing.T) {
	withoutVault(t)
	token, p := jwt(issuedEarlier(), issuedEarlier().Add(24*time.Hour)), People()
	lines := split(logOf(t, "", func(l *Log) {
		l.issued[token] = l.now
		l.Read(p[0], "billing", token, "gst")
		l.Do(Request{By: p[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(p[1], "w", l.Answer(token, "gst")))
	}, append(tuned(), "access_token", "authorization", "token_type", "last_vault_rotation")...))
	for _, mask := range []string{"eyJ***", "eyJhbGciOiJub25lIn0.[REDACTED]", token[:40] + ".xxxxx", token[:30], "eyJhbGciOiJub25lIn0…", token[:40] + ".***", "eyJh..", token[:40] + ".", "eyJ***.eyJ***.***"} {
		left := strings.Join(lines[:5], "") + strings.ReplaceAll(lines[5], token, mask)
		got := search(t, token, file(t, left))
		if !strings.Contains(got.given+got.possible, "userpass-bina") {
			t.Errorf("%q: userpass-bina was given the token, and the report clears her: %+v", mask, got)
		}
	}
}

// TestMasked_AllNamedToken: a rule masks every field with token in its name.
func TestMasked_AllNamedToken(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	masked := regexp.MustCompile(`"(access_token|authorization|token_id|token_type)":"[^"]*"`)
	for _, shown := range [][]string{tuned(), nil} {
		for name, request := range map[string]func(l *Log) Request{
			"read": func(l *Log) Request {
				return Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true}
			},
			"unwrapping": func(l *Log) Request { return unwrap(People()[1], "w", l.Answer(Token(1), "gst")) },
		} {
			lines := strings.SplitAfter(logOf(t, "key", func(l *Log) {
				l.Read(People()[0], "billing", Token(1), "gst")
				l.Do(request(l))
			}, shown...), "\n")
			for _, mask := range []string{"***", "[REDACTED]"} {
				left := strings.Join(lines[:3], "") + masked.ReplaceAllString(lines[3], `"$1":"`+mask+`"`)
				if got := search(t, Token(1), file(t, left)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
					t.Errorf("%s, tuned %t, %q: userpass-bina was given the token, and the report clears her: given to %q", name, shown != nil, mask, got.given)
				}
			}
		}
	}
}

// TestMasked_IsNoSecretInClear: what a collector writes in place of a secret raises no alarm, and whatever else may be a secret does.
func TestMasked_IsNoSecretInClear(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"password": "invented-1"}})
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...)
	for _, field := range []string{"response.data.access_token", "response.data.authorization", "request.data.password", "request.client_token"} {
		report := func(left ...string) (alarms, written string) {
			var log strings.Builder
			for _, l := range left {
				log.WriteString(replaced(t, text, field, l))
			}
			r := mustJSON(t, log.String(), "-")
			return r.all("alarms", "message"), r.all("changes", "written")
		}
		if alarms, written := report(
			"***", "[REDACTED]", "xxxxxxxx", "XXXX-XXXX", "########", "-----", "•••••", "0000000000", "MASKED_VALUE", "<redacted>", "(hidden)", "***REDACTED***",
			"[FILTERED]", "<redacted:password>", "JWT ***", "Bearer [REDACTED]", "hmac-sha256:REDACTED", "hmac-sha256:12ab34…", "eyJh***", "inv****9",
		); alarms != "" || strings.Contains(written, "in clear") {
			t.Errorf("%s: the collector left masks alone, and the report says %q, %q", field, alarms, written)
		}
		name := field[strings.LastIndex(field, ".")+1:]
		for _, secret := range []string{
			"hunter", "p*ssw#rd1", "a...b", "[secret]", "<b>", "maskedman", "hidden valley", "redacted1", "x1", "invented***invented-1", "JWT invented",
			"eyJhXXXXXXXXXXXX", digest("x") + digest("y"),
		} {
			if alarms, written := report(secret); !strings.Contains(alarms, name+" in clear") || name == "password" && !strings.Contains(written, "in clear") {
				t.Errorf("%s: the log shows %q, and the report says %q, %q", field, secret, alarms, written)
			}
		}
	}
}

// TestMasked_Callers: a rule masks Vault tokens and accessors. That makes no two callers one.
func TestMasked_Callers(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(2), "gst") // another token
		for _, name := range []string{"token-a", "token-b"} {
			l.Read(Caller{Name: name, Remote: "10.1.0.9"}, "billing", Token(1), "gst")
		}
	}, tuned()...)
	text = regexp.MustCompile(`"display_name":"token-[ab]"`).ReplaceAllString(text, `"display_name":"token"`)
	text = regexp.MustCompile(`"(accessor|client_token|client_token_accessor)":"[^"]*"`).ReplaceAllString(text, `"$1":"***"`)
	r := runWith(t, Token(1), "-token-file=-", "-format=csv", file(t, text))
	if strings.Contains(r.stdout, People()[0].Entity) {
		t.Errorf("userpass-asha was given another token, and the report gives her entity for who was given the leaked one:\n%s", r.stdout)
	}
	if got := search(t, Token(1), file(t, text)); got.code == exitOK && got.given != "token token" { //nolint:dupword // two callers
		t.Errorf("two callers were given the token, and the report names %q", got.given)
	}
}

// TestMasked_Wrappings: all wrappings have one name. Who unwrapped one opened no other.
func TestMasked_Wrappings(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	text := logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w1"}) // unwrapped in a file that is not here
		l.Wait(time.Hour)
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w2"})
		l.Do(unwrap(people[2], "w2", l.Answer(Token(2), "gst")))
	})
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-asha", "userpass-bina")
	text = regexp.MustCompile(`"token":"[^"]*"`).ReplaceAllString(text, `"token":"***"`)
	if got := search(t, Token(1), file(t, text)); got.code == exitOK {
		t.Errorf("who unwrapped what userpass-bina had asked for is not known, and the report clears her: %+v", got)
	}
}

// TestMasked_IDs: a rule masks every UUID, so that all lines have the id of one request.
func TestMasked_IDs(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByTwo, tuned()...)
	text = uuidPattern.ReplaceAllString(text, "[UUID]")
	if got := search(t, Token(1), file(t, text)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
		t.Errorf("two callers were given the token, and the report names %q", got.given)
	}
}

// TestLeak_CallersLeftOut: a device leaves out who it was.
func TestLeak_CallersLeftOut(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}, tuned()...)
	for _, left := range []string{`"(accessor|client_token|client_token_accessor|display_name|entity_id|client_id)":"[^"]*",`,
		`"(accessor|client_token|client_token_accessor|display_name|entity_id|client_id|remote_address)":"[^"]*",`} {
		r := runWith(t, Token(1), "-token-file=-", file(t, regexp.MustCompile(left).ReplaceAllString(text, "")))
		if r.code == exitOK {
			t.Errorf("who was given the token is not known, and the report is complete:\n%s", r.stdout)
		}
	}
}

// TestLeak_OneDeviceKeepsDisplayNamesOnly: of two devices, one leaves out who it was but for the display name.
func TestLeak_OneDeviceKeepsDisplayNamesOnly(t *testing.T) {
	withoutVault(t)
	reads := func(l *Log) {
		for n := range 8 {
			l.Read(Caller{Name: "approle", Entity: "entity-000" + string(rune('a'+n)), Remote: "10.1.1.1", Policies: []string{"billing"}}, "billing", Token(1), "gst")
		}
	}
	full, other := logOf(t, "key", reads, tuned()...), logOf(t, "other key", reads, tuned()...)
	left := regexp.MustCompile(`"(accessor|client_token|client_token_accessor|entity_id|client_id)":"[^"]*",`).ReplaceAllString(other, "")
	wantLeak(t, search(t, Token(1), file(t, full)), exitOK, strings.TrimSpace(strings.Repeat("approle ", 8)), "")
	wantLeak(t, search(t, Token(1), file(t, full+left)), exitOK, strings.TrimSpace(strings.Repeat("approle ", 8)), "")
}

// TestMasked_MisspeltPathIsNot: the engine refuses a path that it does not have. Nothing is left out by that.
func TestMasked_MisspeltPathIsNot(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		for path, operation := range map[string]string{"tokens/billing": "read", "configs/gst": "update"} {
			l.Do(Request{By: People()[1], Operation: operation, Mount: mountPath, Path: path, Answer: map[string]any{"error": "there is no such path"}})
		}
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha", "")
	if r := mustJSON(t, "", file(t, text)); r.count("refused") != 2 || len(r["notes"]) != 0 {
		t.Errorf("want two refused requests and no note, got %v, %v", r["summary"], r["notes"])
	}
}

// pseudonymised is a log whose collector replaced the values of these fields by digests of them (fluentd's anonymizer, logstash's fingerprint).
func pseudonymised(text string, fields ...string) string {
	return regexp.MustCompile(`"(`+strings.Join(fields, "|")+`)":"([^"]*)"`).ReplaceAllStringFunc(text, func(pair string) string {
		parts := strings.SplitN(pair, ":", 2)
		return parts[0] + `:"` + digest(parts[1]) + digest(pair) + `"`
	})
}

// TestMasked_Digest: a digest in place of a token says nothing against the HMAC of its token_id.
func TestMasked_Digest(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	read := func(l *Log) { l.n = 70; l.Read(people[1], "billing", Token(1), "gst") }
	unwrapped := func(l *Log) {
		l.n = 70
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
	}
	mine := logOf(t, "key", readByAsha)
	for name, text := range map[string]string{
		"read, former salt":      logOf(t, "former key", read),
		"read, today's salt":     logOf(t, "key", read),
		"unwrapped, former salt": logOf(t, "former key", unwrapped),
		"unwrapped, today's":     logOf(t, "key", unwrapped),
	} {
		got := search(t, Token(1), file(t, mine+pseudonymised(text, "access_token", "authorization")))
		if !strings.Contains(got.given+got.possible, "bina") {
			t.Errorf("%s: userpass-bina was given the token: %+v", name, got)
		}
	}
}

// TestMasked_DigestsOfAll: a rule replaces every field with token in its name by a digest. That is no token.
func TestMasked_DigestsOfAll(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, shown := range [][]string{tuned(), nil} {
		mine := logOf(t, "key", readByAsha, shown...)
		for name, fill := range map[string]func(l *Log){
			"read": func(l *Log) { l.n = 70; l.Read(people[1], "billing", Token(1), "gst") },
			"unwrapped": func(l *Log) {
				l.n = 70
				l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
				l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
			},
		} {
			text := pseudonymised(logOf(t, "key", fill, shown...), "access_token", "authorization", "token_id", "token_type")
			if got := search(t, Token(1), file(t, mine+text)); !strings.Contains(got.given+got.possible, "bina") {
				t.Errorf("%s, tuned %t: userpass-bina was given the token: %+v", name, shown != nil, got)
			}
		}
	}
}

// person is somebody in a crowd.
func person(n int) Caller {
	return Caller{
		Name: fmt.Sprintf("userpass-recv%02d", n), Entity: fmt.Sprintf("33333333-0000-4000-8000-0000000000%02d", n), Method: "userpass",
		Remote: fmt.Sprintf("10.77.0.%d", 100+n), Policies: []string{"billing", "default"},
	}
}

var uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestMasked_IDsOfTheirForm: a rule writes another UUID over every UUID.
func TestMasked_IDsOfTheirForm(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByTwo, tuned()...)
	for _, mask := range []string{"00000000-0000-0000-0000-000000000000", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "11111111-1111-1111-1111-111111111111", "########-####-####-####-############"} {
		if got := search(t, Token(1), file(t, uuidPattern.ReplaceAllString(text, mask))); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
			t.Errorf("%s: two callers were given the token, and the report names %q", mask, got.given)
		}
	}
}

// TestMasked_Entities: the entities alone are masked; the callers are told apart by their accessors.
func TestMasked_Entities(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Read(person(1), "billing", Token(2), "gst")
		l.Read(person(2), "billing", Token(1), "gst")
		l.Do(Request{By: person(1), Operation: "update", Mount: mountPath, Path: "token/billing", Data: map[string]any{"rejected_token_id": tokenID(Token(1))}, Answer: l.Answer(Token(2), "gst"), Lease: true})
	}, append(tuned(), "rejected_token_id")...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, person(2).Name, person(1).Name)
	for _, mask := range []string{"***", "00000000-0000-0000-0000-000000000000", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"} {
		masked := regexp.MustCompile(`"entity_id":"[^"]*"`).ReplaceAllString(text, `"entity_id":"`+mask+`"`)
		t.Log(mask)
		wantLeak(t, search(t, Token(1), file(t, masked)), exitIncomplete, person(2).Name, person(1).Name)
	}
}

// TestMasked_IDsAsSHA1: a collector writes the SHA-1 of each UUID (logstash's fingerprint, fluentd's anonymizer). That has the form of a token.
func TestMasked_IDsAsSHA1(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByTwo, tuned()...)
	sha1 := func(s string) string { return (digest(s) + digest(s+"x"))[:40] }
	wantLeak(t, search(t, Token(1), file(t, uuidPattern.ReplaceAllStringFunc(text, sha1))), exitOK, "userpass-asha userpass-bina", "")
	ids := regexp.MustCompile(`"id":"[0-9a-f-]{36}"`).ReplaceAllStringFunc(text, func(s string) string { return `"id":"` + sha1(s) + `"` })
	wantLeak(t, search(t, Token(1), file(t, ids)), exitOK, "userpass-asha userpass-bina", "")
}

// TestMasked_OperationInSmallLetters: one of two devices masks the operation in small letters.
func TestMasked_OperationInSmallLetters(t *testing.T) {
	withoutVault(t)
	a := logOf(t, "", readByAsha, tuned()...)
	b := logOf(t, "", func(l *Log) {
		l.n = 50
		l.Wait(time.Minute)
		l.issued[Token(1)] = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		l.Read(People()[1], "billing", Token(1), "gst")
	}, tuned()...)
	b = strings.ReplaceAll(b, `"operation":"read"`, `"operation":"masked"`)
	got := search(t, Token(1), file(t, a+b))
	if got.code == exitOK {
		t.Errorf("%+v", got)
	}
}

// TestMasked_NameByOneOfTwo: one of two devices, or its collector, masks names of callers. The other one has them.
func TestMasked_NameByOneOfTwo(t *testing.T) {
	withoutVault(t)
	for _, entity := range []bool{true, false} {
		fill := func(l *Log) {
			for n := range 12 {
				by := person(n)
				if !entity {
					by.Entity = ""
				}
				l.Read(by, "billing", Token(1), "gst")
			}
		}
		text, other := logOf(t, "", fill, tuned()...), logOf(t, "other", fill, tuned()...)
		for _, mask := range []string{"***", "[REDACTED]", "", "masked", "xxxx", "(hidden)", digest("x")} {
			left := regexp.MustCompile(`"display_name":"[^"]*"`).ReplaceAllString(other, `"display_name":"`+mask+`"`)
			if got := search(t, Token(1), file(t, text+left)); strings.Count(got.given, "recv") != 12 {
				t.Errorf("entity %t, %q: 12 callers have names in the log, and the report names %+v", entity, mask, got)
			}
		}
	}
}

func TestMasked_AddressByOneOfTwo(t *testing.T) {
	withoutVault(t)
	text, other := logOf(t, "", readByAsha, tuned()...), logOf(t, "other", readByAsha, tuned()...)
	for _, mask := range []string{"***", "[REDACTED]", "x.x.x.x", ""} {
		left := regexp.MustCompile(`"remote_address":"[^"]*"`).ReplaceAllString(other, `"remote_address":"`+mask+`"`)
		if got := mustJSON(t, "", file(t, text+left)).all("readings", "remote_addresses"); got != "10.1.0.11" {
			t.Errorf("%q: the address is in the log, and the report says %q", mask, got)
		}
	}
}

// TestMasked_IDsByLongMasks: a mask may be long or have a digit, and a part of an ID has no mark. It makes no two requests, callers or wrappings one.
func TestMasked_IDsByLongMasks(t *testing.T) {
	withoutVault(t)
	people, callers := People(), regexp.MustCompile(`"(accessor|client_token|client_token_accessor|entity_id|client_id)":"[^"]*"`)
	text := logOf(t, "", readByTwo, tuned()...)
	named := logOf(t, "", func(l *Log) {
		readByAsha(l)
		l.Do(Request{By: people[1], Operation: "update", Mount: mountPath, Path: "token/billing", Data: map[string]any{"rejected_token_id": l.id(1)}, Answer: l.Answer(Token(2), "gst"), Lease: true})
	}, append(tuned(), "rejected_token_id")...)
	wrapped := logOf(t, "", func(l *Log) {
		readByAsha(l)
		l.Do(Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w1"})
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w2"})
		l.Do(unwrap(people[2], "w2", l.Answer(Token(2), "gst")))
	}, tuned()...)
	for _, mask := range []string{"REDACTED_BY_COMPLIANCE", "MASKED-BY-LOG-PIPELINE", "REDACTED_UUID4", "pii_removed_v2", "uuid-redacted-1", "Redacted20161679", "NOT_FOR_EXPORT_BY_RULE_7", "9f3c", "00000001"} {
		for name, log := range map[string]string{
			"requests":  replaced(t, text, "request.id", mask),
			"callers":   callers.ReplaceAllString(text, `"$1":"`+mask+`"`),
			"named":     callers.ReplaceAllString(named, `"$1":"`+mask+`"`),
			"wrappings": regexp.MustCompile(`"token":"[^"]*"`).ReplaceAllString(wrapped, `"token":"`+mask+`"`),
		} {
			if got := search(t, Token(1), file(t, log)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
				t.Errorf("%s, %s: userpass-bina may have been given the token: %+v", name, mask, got)
			}
		}
	}
	for _, whole := range []string{"mastersindia_abcdefab", "10.0.0.1", "::1", "1.1.1.1"} {
		if unmasked(whole) == "" {
			t.Errorf("%s is no mask", whole)
		}
	}
}

// TestMasked_URLsAreNoSecretInClear: a collector, or Go, masks the password within a URL. What has more than the mask is one.
func TestMasked_URLsAreNoSecretInClear(t *testing.T) {
	withoutVault(t)
	for address, want := range map[string]bool{
		"https://robot:***@proxy.example.com:3128": false, "https://robot:xxxxx@proxy.example.com": false, "https://[REDACTED]@proxy.example.com": false,
		"https://proxy.example.com/?password=***": false, "https://proxy.example.com/?a=b&api_key=<masked>&c=d": false, "robot:***@proxy.example.com": false,
		"https://robot:invented***@proxy.example.com": true, "https://robot:***invented@proxy.example.com": true, "https://robot:xxxxxx@proxy.example.com": true,
		"https://a:***@a.example.com https://robot:invented@proxy.example.com": true, "https://proxy.example.com/?password=***&api_key=invented": true,
	} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"proxy_url": address}})
		}, "proxy_url")
		if got := mustJSON(t, "", path).all("alarms", "message"); (got != "") != want {
			t.Errorf("%s: want an alarm %t, got %q", address, want, got)
		}
	}
}

// TestMasked_ErrorOfAStandby: what was refused may as well have been forwarded, to a node whose log is not here.
func TestMasked_ErrorOfAStandby(t *testing.T) {
	withoutVault(t)
	for _, text := range []string{"1 error occurred:\n\t* please forward to the active node\n\n", "[REDACTED]", "***", "<masked>", "*** REDACTED ***", "[sensitive data]",
		"1 error occurred:\n\t* please forward to...", digest("x"), hmacPrefix + digest("x") + digest("y")} {
		standby := logOf(t, "", func(l *Log) {
			l.n = 5000
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
		})
		active := logOf(t, "", func(l *Log) { l.Read(People()[1], "billing", Token(1), "gst") }, tuned()...)
		wantLeak(t, search(t, Token(1), file(t, active), file(t, standby)), exitIncomplete, "userpass-bina", "userpass-asha")
	}
}
