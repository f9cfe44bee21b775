// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// When the leaked token was issued: only a log that begins before that has all who were given it.

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// issuedEarlier is five hours before the logs of these tests begin.
func issuedEarlier() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

// TestIssuedAt_NotShown: the mount is not tuned, so that the log hides issued_at. While the upstream is down ttl tells when to come back, so that
// what is left of rotation_period does not tell the issue either.
func TestIssuedAt_NotShown(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	path := file(t, logOf(t, "key", func(l *Log) {
		l.HideIssue = true
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "role/billing", Answer: map[string]any{"config": "gst"}})
		l.Wait(16 * time.Hour)
		answer := l.Answer(Token(1), "gst")
		answer["expires_in"], answer["ttl"], answer["rotation_period"] = 5*3600, 60, 57024
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-bina", "")
	if text := runWith(t, Token(1), "-token-file=-", path).stdout; !strings.Contains(text, "When the leaked token was issued is not known") {
		t.Errorf("no note says so:\n%s", text)
	}
}

// TestIssuedAt_ClaimsOfTheVendors: the claims of the vendors' JWTs as their documents have them: none has iat, and one has orig_iat. Unwrappings show
// nothing else.
func TestIssuedAt_ClaimsOfTheVendors(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	for name, claims := range map[string]string{
		"Masters India v1": fmt.Sprintf(`{"user_id":1,"username":"x","exp":%d,"email":"x@example.com","orig_iat":%d}`, issuedEarlier().Unix()+86400, issuedEarlier().Unix()),
		"Masters India v2": fmt.Sprintf(`{"token_type":"access","exp":%d,"jti":"0a","user_id":1,"username":"x","refresh_jti":"0b"}`, issuedEarlier().Unix()+86400),
		"FirstVision":      fmt.Sprintf(`{"scope":"x","client_id":"y","firstVisionId":"z","exp":%d}`, issuedEarlier().Unix()+86400),
		"another zone":     fmt.Sprintf(`{"iat":%d}`, issuedEarlier().Add(5*time.Hour+30*time.Minute).Unix()),
	} {
		token := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + strings.Repeat("invented", 5)
		for older, code := range map[bool]int{false: exitIncomplete, true: exitOK} {
			text := logOf(t, "key", func(l *Log) {
				l.HideIssue = true
				if older { // the log begins a day before
					l.Wait(-48 * time.Hour)
					l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "role/billing", Answer: map[string]any{"config": "gst"}})
					l.Wait(48 * time.Hour)
				}
				l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
				l.Do(unwrap(People()[0], "w", l.Answer(token, "gst")))
			})
			if !strings.Contains(claims, "iat") {
				code = exitIncomplete // whatever older files there are
			}
			t.Log(name, older)
			wantLeak(t, search(t, token, file(t, text)), code, "userpass-asha", "")
		}
	}
}

// TestIssuedAt_RepeatedByTheUpstream: issued_at is when this Vault got the token last. Where its upstream repeats tokens, another life of it may be in
// a file that is not here.
func TestIssuedAt_RepeatedByTheUpstream(t *testing.T) {
	withoutVault(t)
	for name, fill := range map[string]func(l *Log){
		"issued twice": func(l *Log) {
			readByAsha(l)
			l.Wait(25 * time.Hour)
			clear(l.issued)
			readByAsha(l)
		},
		"an error says so": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing",
				Error: "1 error occurred:\n\t* config \"gst\": the upstream repeats its last token, which is about to expire, and gives no other\n\n"})
		},
	} {
		if got := search(t, Token(1), logFile(t, fill, tuned()...)); got.code != exitIncomplete || got.possible != "" {
			t.Errorf("%s: it may have been given in an earlier life, and the report is complete: %+v", name, got)
		}
	}
	wantLeak(t, search(t, Token(1), logFile(t, readByAsha, tuned()...)), exitOK, "userpass-asha", "")
}

// TestIssuedAt_OfARevokedToken: the same holds for who had a token that was revoked.
func TestIssuedAt_OfARevokedToken(t *testing.T) {
	withoutVault(t)
	for hidden, want := range map[bool]string{true: "; not known before 2026-03-01T08:00:00Z", false: ""} {
		path := logFile(t, func(l *Log) {
			l.HideIssue = hidden
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
				l.id(1): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
			}}})
		}, "token_id")
		got := mustJSON(t, "", path).all("revocations", "receivers")
		if got != "userpass-asha ["+People()[0].Entity+"]"+want {
			t.Errorf("issued_at hidden %t: receivers are %q", hidden, got)
		}
	}
}

// TestLeak_LogBeginsSecondsTooLate: the first reader is in the file before, also where that ended a second after the issue.
func TestLeak_LogBeginsSecondsTooLate(t *testing.T) {
	withoutVault(t)
	for _, late := range []time.Duration{time.Second, 2900 * time.Millisecond, 4 * time.Minute} {
		text := logOf(t, "", func(l *Log) {
			readByAsha(l)
			l.Wait(late)
			l.Read(People()[1], "billing", Token(1), "gst")
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
				l.id(1): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
			}}})
		}, tuned()...)
		wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha userpass-bina", "")
		text = strings.Join(strings.SplitAfter(text, "\n")[2:], "")
		wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-bina", "")
		if got := mustJSON(t, text, "-").all("revocations", "receivers"); !strings.Contains(got, "not known before") {
			t.Errorf("%s too late: userpass-asha may have been given the revoked token, and receivers are %q", late, got)
		}
	}
}

// TestIssuedAt_DuringTheFirstRequest has the log begin with a read that logs in for three seconds: nothing is missing.
func TestIssuedAt_DuringTheFirstRequest(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Other(People()[2])
		l.Wait(time.Hour)
		r := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true}
		asked := r
		asked.NoResponse = true
		l.Do(asked)
		l.Wait(3 * time.Second)
		r.NoRequest = true
		l.n-- // the same request
		l.Do(r)
	}, tuned()...)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`00000002-0000-4000-8000-[0-9a-f]{12}`)
	path = file(t, ids.ReplaceAllString(string(text), "00000002-0000-4000-8000-000000000002"))
	r := runWith(t, Token(1), "-token-file=-", path)
	if r.code != exitOK {
		t.Errorf("the log is complete, and the exit code is %d:\n%.700s", r.code, r.stdout)
	}
}

// TestIssuedAt_RepeatedAsAWarningSays: the engine says also in warnings, which Vault logs in clear, that the upstream repeats tokens.
func TestIssuedAt_RepeatedAsAWarningSays(t *testing.T) {
	withoutVault(t)
	for name, w := range map[string]struct{ op, path, warning string }{
		"rotate": {"update", "rotate/gst", "The token was not replaced: the upstream repeats its last token, and gives no other until that expires."},
		"read": {"read", "token/billing", "Token " + tokenID(Token(1)) + " was rejected and is kept: the upstream repeats it, and gives no other until it expires at " +
			"2026-03-02T08:00:00Z: ask the vendor to end its session."},
	} {
		text := logOf(t, "", func(l *Log) {
			readByAsha(l)
			r := Request{By: People()[0], Operation: w.op, Mount: mountPath, Path: w.path, Answer: map[string]any{"config": "gst"}}
			if w.op == "read" {
				r.Answer, r.Lease = l.Answer(Token(1), "gst"), true
			}
			l.Do(r)
		}, tuned()...)
		lines := strings.SplitAfter(text, "\n")
		last := len(lines) - 2
		lines[last] = strings.Replace(lines[last], `"response":{`, `"response":{"warnings":["`+w.warning+`"],`, 1)
		if got := search(t, Token(1), file(t, strings.Join(lines, ""))); got.code != exitIncomplete {
			t.Errorf("%s: it may have been given in an earlier life, and the report is complete: %+v", name, got)
		}
	}
}

// TestIssuedAt_OfTwoMounts: one mount shows when it got the token. The other one, which the upstream gave the same token, does not, and may have
// given it to others before the log begins.
func TestIssuedAt_OfTwoMounts(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	mine := logOf(t, "key", func(l *Log) { l.Other(People()[2]); l.Wait(time.Hour); readByAsha(l) })
	tax := ofTheEngine(logOf(t, "key", func(l *Log) {
		l.n, l.HideIssue = 50, true
		l.Wait(2 * time.Hour)
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	}))
	wantLeak(t, search(t, Token(1), file(t, mine+tax)), exitIncomplete, "userpass-asha userpass-bina", "")
	wrapped := ofTheEngine(logOf(t, "key", func(l *Log) {
		l.n, l.HideIssue = 50, true
		l.Wait(2 * time.Hour)
		l.Do(Request{By: People()[2], Operation: "read", Mount: "tax/", Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(People()[1], "w", l.Answer(Token(1), "gst")))
	}))
	wantLeak(t, search(t, Token(1), file(t, mine+wrapped)), exitIncomplete, "userpass-asha userpass-bina", "")
}

// TestIssuedAt_OfAMountKnownByItsLease: the other mount is known by the lease of an unwrapping only.
func TestIssuedAt_OfAMountKnownByItsLease(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	mine := logOf(t, "key", func(l *Log) { l.Other(People()[2]); l.Wait(time.Hour); readByAsha(l) })
	tax := logOf(t, "key", func(l *Log) {
		l.n, l.HideIssue = 50, true
		l.Wait(2 * time.Hour)
		q := unwrap(People()[1], "w", l.Answer(Token(1), "gst"))
		q.Lease = true
		l.Do(q)
	})
	tax = strings.ReplaceAll(tax, `"lease_id":"sys/wrapping/unwrap/`, `"lease_id":"tax/token/billing/`)
	wantLeak(t, search(t, Token(1), file(t, mine+tax)), exitIncomplete, "userpass-asha userpass-bina", "")
}

// TestIssuedAt_ThatIsNoTime: a mask keeps the form of a time.
func TestIssuedAt_ThatIsNoTime(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		for range 3 {
			readByAsha(l)
			l.Wait(time.Hour)
		}
	}, tuned()...)
	lines := strings.SplitAfter(text, "\n")
	late := strings.Join(lines[2:], "") // the first reader is in the file before
	wantLeak(t, search(t, Token(1), file(t, late)), exitIncomplete, "userpass-asha", "")
	for _, mask := range []string{"9999-99-99T99:99:99Z", "0000-00-00T00:00:00Z", "2099-13-01T00:00:00Z"} {
		one := lines[2] + regexp.MustCompile(`"issued_at":"[^"]*"`).ReplaceAllString(lines[3], `"issued_at":"`+mask+`"`) + strings.Join(lines[4:], "")
		t.Log(mask)
		wantLeak(t, search(t, Token(1), file(t, one)), exitIncomplete, "userpass-asha", "")
	}
}

// TestIssuedAt_TimeInTheData: the data of a line may have a field of the name time, which comes before the line's own time and is none.
func TestIssuedAt_TimeInTheData(t *testing.T) {
	withoutVault(t)
	for _, other := range []string{`1700000000`, `"0"`, `"2020-01-01T00:00:00Z"`} {
		text := logOf(t, "", func(l *Log) {
			l.Other(People()[4])
			l.Wait(24 * time.Hour)
			l.issued[Token(1)] = l.now // by a rotation
			l.Wait(time.Hour)
			readByAsha(l)
			l.Do(Request{By: People()[1], Operation: "update", Mount: "kv/", Path: "data/x", Data: map[string]any{"time": "T"}})
		}, append(tuned(), "time")...)
		t.Log(other)
		wantLeak(t, search(t, Token(1), file(t, strings.ReplaceAll(text, `"time":"T"`, `"time":`+other))), exitOK, "userpass-asha", "")
	}
}

// TestIssuedAt_ClockThatWasNeverSet: one line from before there was Vault does not make the log begin then.
func TestIssuedAt_ClockThatWasNeverSet(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.issued[Token(1)] = l.now
		l.Wait(time.Hour)
		l.Other(People()[0])
		l.Read(People()[1], "billing", Token(1), "gst")
	}, tuned()...)
	lines := split(text)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-bina", "")
	unset := replaced(t, lines[0]+lines[1], "time", "2000-01-01T00:00:00Z") + lines[2] + lines[3]
	wantLeak(t, search(t, Token(1), file(t, unset)), exitIncomplete, "userpass-bina", "")
}

// TestIssuedAt_NodeThatBeginsTooLate: the log of one node begins before the token was issued. That of another one, which gave it, was
// rotated since, and the file from before is not here: more files of the first node do not make up for it.
func TestIssuedAt_NodeThatBeginsTooLate(t *testing.T) {
	withoutVault(t)
	p := People()
	leads := split(logOf(t, "", func(l *Log) {
		l.Wait(24 * time.Hour)
		l.Read(p[1], "billing", Token(1), "gst") // when it was issued
		l.Wait(20 * time.Hour)
		readByAsha(l)
	}, tuned()...))
	before, after := strings.Join(leads[:2], ""), strings.Join(leads[2:], "")
	wantLeak(t, search(t, Token(1), file(t, after)), exitIncomplete, "userpass-asha", "")
	for name, other := range map[string]string{
		"a standby that logs by itself": logOf(t, "", func(l *Log) {
			l.n = 5000
			l.Other(p[2])
			l.Wait(72 * time.Hour)
			l.Read(p[2], "billing", Token(9), "gst")
		}, tuned()...),
		"the one that led before": logOf(t, "", func(l *Log) { l.n = 5000; l.Read(p[2], "billing", Token(9), "gst") }, tuned()...),
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, other), file(t, after)), exitIncomplete, "userpass-asha", "")
		wantLeak(t, search(t, Token(1), file(t, after), file(t, other), file(t, after)), exitIncomplete, "userpass-asha", "")
	}
	busy := logOf(t, "", func(l *Log) {
		l.Wait(24 * time.Hour)
		for range 3 {
			readByAsha(l)
			l.Wait(5 * time.Minute)
		}
	}, tuned()...)
	quiet := logOf(t, "", func(l *Log) { l.n = 5000; l.Wait(24*time.Hour + 6*time.Minute); l.Other(p[2]) }) // nothing of the mount
	wantLeak(t, search(t, Token(1), file(t, busy), file(t, quiet)), exitIncomplete, "userpass-asha", "")
	one := logOf(t, "", func(l *Log) { l.n = 5000; l.Other(p[2]) })
	wantLeak(t, search(t, Token(1), file(t, one+before+after)), exitOK, "userpass-asha userpass-bina", "")
}

// TestIssuedAt_NodesThatLogBesideEachOther: the file before the one node's is missing. Whatever the lines are about, and in whatever order
// and files they are, they show that the other node has not stopped, so that this one did not take over from it.
func TestIssuedAt_NodesThatLogBesideEachOther(t *testing.T) {
	withoutVault(t)
	p := People()
	var issued time.Time
	whole := split(logOf(t, "", func(l *Log) {
		l.Other(p[3])
		l.Wait(24 * time.Hour)
		issued = l.now
		readByAsha(l)
		for range 30 {
			l.Wait(5 * time.Minute)
			l.Other(p[3])
		}
	}, tuned()...))
	newest := logOf(t, "", func(l *Log) {
		l.n = 5000
		l.Wait(24*time.Hour + 6*time.Minute)
		l.Other(p[2])
		l.Wait(time.Hour)
		l.issued[Token(1)] = issued
		l.Read(p[2], "billing", Token(1), "gst")
	}, tuned()...)
	early, late := strings.Join(whole[:6], ""), strings.Join(whole[6:], "")
	backwards := slices.Clone(whole)
	slices.Reverse(backwards)
	for name, files := range map[string]map[string]string{
		"in order":             {"vault-0.log": early + late},
		"newest file first":    {"vault-0.log": late + early},
		"newest line first":    {"vault-0.log": strings.Join(backwards, "")},
		"as an array":          {"vault-0.log": "[" + strings.Join(strings.Split(strings.TrimSpace(early+late), "\n"), ",") + "]"},
		"before another log":   {"vault-0.log": early + late + `{"time":"2026-03-02T12:00:00Z","level":"info"}` + "\n"},
		"rotated then, dated":  {"vault-0.log-20260302": early, "vault-0.log": late},
		"rotated then":         {"vault-0.log.1": early, "vault-0.log": late},
		"an object every hour": {"vault-0/2026-03-02T07.log": early, "vault-0/2026-03-02T08.log": late},
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), append(filesOf(t, files), file(t, newest))...), exitIncomplete, "approle userpass-asha", "")
	}
}

// TestIssuedAt_ThereAndBack: one node leads, another one for an hour, which never led before, and the first one again.
func TestIssuedAt_ThereAndBack(t *testing.T) {
	withoutVault(t)
	p := People()
	var issued time.Time
	back := logOf(t, "", func(l *Log) {
		l.Other(p[3])
		l.Wait(24 * time.Hour)
		issued = l.now
		readByAsha(l)
		l.Wait(2 * time.Hour)
		l.Read(p[3], "billing", Token(1), "gst")
	}, tuned()...)
	there := logOf(t, "", func(l *Log) {
		l.n = 5000
		l.issued[Token(1)] = issued
		l.Wait(24*time.Hour + 4*time.Minute)
		for range 10 {
			l.Read(p[2], "billing", Token(1), "gst")
			l.Wait(6 * time.Minute)
		}
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, back), file(t, there)), exitOK, "approle kubernetes-erp-invoices userpass-asha", "")
}

// TestIssuedAt_NewestFileOfMinutes: a busy node fills its current file in minutes, which is all that kubectl logs shows of it.
func TestIssuedAt_NewestFileOfMinutes(t *testing.T) {
	withoutVault(t)
	for _, pace := range []time.Duration{7 * time.Second, time.Minute, 5 * time.Minute} {
		for _, length := range []time.Duration{65 * time.Second, 80 * time.Second, 115 * time.Second, 4 * time.Minute} {
			var issued time.Time
			whole := logOf(t, "", func(l *Log) {
				l.Other(People()[3])
				l.Wait(24 * time.Hour)
				issued = l.now
				readByAsha(l)
				for range 2 * time.Hour / pace {
					l.Wait(pace)
					l.Other(People()[3])
				}
			}, tuned()...)
			newest := logOf(t, "", func(l *Log) {
				l.n, l.issued[Token(1)] = 50_000, issued
				l.Wait(25*time.Hour + 50*time.Second)
				l.Other(People()[2])
				l.Wait(length)
				l.Read(People()[2], "billing", Token(1), "gst")
			}, tuned()...)
			t.Log(pace, length)
			wantLeak(t, search(t, Token(1), file(t, whole), file(t, newest)), exitIncomplete, "approle userpass-asha", "")
		}
	}
}

// TestIssuedAt_NobodyAsksAtNight: for the same hours each night, nothing is logged.
func TestIssuedAt_NobodyAsksAtNight(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		l.Other(People()[3])
		readByAsha(l)
		for range 4 * 24 * 12 {
			if l.Wait(5 * time.Minute); l.now.Hour() >= 8 && l.now.Hour() < 20 {
				l.Other(People()[3])
			}
		}
		readByAsha(l)
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha", "")
}

// TestIssuedAt_FilesByTheHour: a file for each hour of more than a day. All are given, or one is forgotten, with what was logged in that hour.
func TestIssuedAt_FilesByTheHour(t *testing.T) {
	withoutVault(t)
	hours := make(map[string]string) // by the time of the hour
	var issued time.Time
	for _, line := range split(logOf(t, "", func(l *Log) {
		l.Other(People()[3])
		l.Wait(2 * time.Hour)
		issued = l.now
		readByAsha(l)
		for n := range 26 * 12 {
			l.Wait(5 * time.Minute)
			if l.Other(People()[3]); n == 140 {
				l.Read(People()[1], "billing", Token(1), "gst")
			}
		}
	}, tuned()...)) {
		at, _, _ := strings.Cut(line[strings.Index(line, `"time":"`)+8:], ":")
		hours[at] += line
	}
	for _, form := range []string{"audit.log-2006010215", "audit.log-20060102-15", "audit-2006-01-02T15Z.log", "2006/01/02/15/audit.log", "year=2006/month=01/day=02/hour=15/audit.log"} {
		all := make(map[string]string)
		forgotten := ""
		for at, text := range hours {
			when, err := time.Parse("2006-01-02T15", at)
			if err != nil {
				t.Fatal(err)
			}
			name := when.Format(form)
			if all[name] = text; strings.Contains(text, "userpass-bina") && when.After(issued) {
				forgotten = name
			}
		}
		t.Log(form, len(all))
		wantLeak(t, search(t, Token(1), filesOf(t, all)...), exitOK, "userpass-asha userpass-bina", "")
		delete(all, forgotten)
		wantLeak(t, search(t, Token(1), filesOf(t, all)...), exitIncomplete, "userpass-asha", "")
	}
}

// TestIssuedAt_QuietDays: a file for each day, and pauses as long as any in the night: the names tell that one is missing.
func TestIssuedAt_QuietDays(t *testing.T) {
	withoutVault(t)
	for _, form := range []string{"audit.log-20060102", "audit_20060102T000000Z_vault.log", "2006/01/02/audit.log"} {
		all := make(map[string]string)
		start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		for day := range 6 {
			all[start.AddDate(0, 0, day).Format(form)] = logOf(t, "", func(l *Log) {
				l.n = 5000 * day
				l.Wait(time.Duration(day) * 24 * time.Hour)
				l.issued[Token(1)] = start.Add(time.Hour)
				for n := range 12 {
					if l.Other(People()[3]); day == 0 && n == 1 {
						readByAsha(l)
					}
					l.Wait(time.Hour)
				}
			}, tuned()...)
		}
		t.Log(form)
		wantLeak(t, search(t, Token(1), filesOf(t, all)...), exitOK, "userpass-asha", "")
		delete(all, start.AddDate(0, 0, 3).Format(form))
		wantLeak(t, search(t, Token(1), filesOf(t, all)...), exitIncomplete, "userpass-asha", "")
	}
}

// filesOf writes files of these names.
func filesOf(t *testing.T, texts map[string]string) (names []string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range texts {
		name = filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestIssuedAt_FilesThatBeginLater: files that begin after the token was issued, and of which no earlier one is missing.
func TestIssuedAt_FilesThatBeginLater(t *testing.T) {
	withoutVault(t)
	p := People()
	lines := split(logOf(t, "", func(l *Log) {
		l.Other(p[2])
		l.Wait(24 * time.Hour)
		l.Read(p[1], "billing", Token(1), "gst")
		l.Wait(5 * time.Minute)
		readByAsha(l)
		l.Wait(2 * time.Hour)
		readByAsha(l)
	}, tuned()...))
	first, rest := strings.Join(lines[:4], ""), strings.Join(lines[4:], "")
	for name, files := range map[string][2]string{
		"rotated with the date":          {"audit.log-20260301.gz", "audit.log"},
		"rotated with the date and time": {"0.log.20260302-101112", "0.log"},
		"rotated by seconds":             {"audit-1772352000.log", "audit.log"},
		"another node takes over":        {"vault-0.log", "vault-1.log"},
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), filesOf(t, map[string]string{files[0]: first, files[1]: rest})...), exitOK, "userpass-asha userpass-bina", "")
	}
	t.Log("a device that was enabled later, and copies") // of the same node
	wantLeak(t, search(t, Token(1), file(t, first+rest), file(t, rest), file(t, rest)), exitOK, "userpass-asha userpass-bina", "")
	t.Log("another node takes over, which has two devices")
	wantLeak(t, search(t, Token(1), file(t, first), file(t, rest), file(t, rest)), exitOK, "userpass-asha userpass-bina", "")
	t.Log("another node takes over, whose file was rotated since")
	newest := strings.Join(lines[6:], "")
	wantLeak(t, search(t, Token(1), file(t, first), file(t, newest)), exitIncomplete, "userpass-asha userpass-bina", "")
}
