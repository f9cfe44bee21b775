// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// TestAlarm_NotWithoutRequest: a read whose request is in another file may have begun before the revocation.
func TestAlarm_NotWithoutRequest(t *testing.T) {
	withoutVault(t)
	log := func(wait time.Duration, noRequest bool) string {
		return logFile(t, func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
				"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
			l.Wait(wait)
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), NoRequest: noRequest})
		}, tuned()...)
	}
	for _, test := range []struct {
		wait      time.Duration
		noRequest bool
		alarms    int
	}{{time.Second, true, 0}, {time.Hour, true, 1}, {time.Second, false, 1}} {
		if r := mustJSON(t, "", log(test.wait, test.noRequest)); len(r["alarms"]) != test.alarms {
			t.Errorf("%+v: got %v", test, r["alarms"])
		}
	}
}

// TestRevoked_IssuedBeforeTheLog: who was given a revoked token before the log begins is not known, as for a leaked one.
func TestRevoked_IssuedBeforeTheLog(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		answer := l.Answer(Token(1), "gst")
		answer["issued_at"] = l.now.Add(-10 * time.Hour).Format(time.RFC3339)
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
			l.id(1): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
		}}})
	}, tuned()...)
	r := runWith(t, "", path)
	if got := mustJSON(t, "", path).all("revocations", "receivers"); r.code == exitOK && !strings.Contains(got, "not known") {
		t.Errorf("the token is ten hours older than the log, its receivers are %q, and the exit code is 0", got)
	}
}

// TestRevoked_NodeThatBeginsTooLate: the file of another node, that begins before, does not tell who was given the token by this one.
func TestRevoked_NodeThatBeginsTooLate(t *testing.T) {
	withoutVault(t)
	former := logOf(t, "", func(l *Log) { l.n = 5000; readByAsha(l) }, tuned()...)
	leads := file(t, logOf(t, "", func(l *Log) {
		l.issued[Token(1)] = l.now
		l.Wait(5 * time.Hour)
		readByAsha(l)
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
			l.id(1): map[string]any{"upstream": "unsupported", "valid_until": "2026-03-02T12:00:00Z"},
		}}})
	}, tuned()...))
	for _, files := range [][]string{{leads}, {leads, file(t, former)}} {
		if got := mustJSON(t, "", files...).all("revocations", "receivers"); !strings.Contains(got, "not known before 2026-03-01T13:00:00Z") {
			t.Errorf("%d files: the receivers are %q, and who was given the token before is not known", len(files), got)
		}
	}
}

func TestRevoked_ReadersByHMAC(t *testing.T) {
	vaultWith(t, map[string]string{"file": "audit-device-key"})
	r := mustJSON(t, "", "-audit-device=file", logFile(t, (*Log).Day))
	if got := r.all("revocations", "receivers"); strings.Count(got, "[") != 3 || !strings.Contains(got, "userpass-asha") {
		t.Errorf("the revoked token had been given to %q", got)
	}
}

// TestRevoked_ReadersOfARenamedPlugin: the path of the report's mount tells that an answer without a lease is the engine's.
func TestRevoked_ReadersOfARenamedPlugin(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst")})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{l.id(1): map[string]any{}}}})
	})
	text = strings.NewReplacer(`"mount_type":"mastersindia"`, `"mount_type":"gst-tokens"`, "mastersindia_0a1b2c3d", "gst-tokens_0a1b2c3d").Replace(text)
	if got := mustJSON(t, "", "-audit-device=file", file(t, text)).all("revocations", "receivers"); !strings.Contains(got, "userpass-asha") {
		t.Errorf("userpass-asha had been given the revoked token, and the report names %q", got)
	}
}

func TestAlarm_RevokedTokenHandedOut(t *testing.T) {
	withoutVault(t)
	for _, later := range [][]string{{"token_id"}, nil} { // then the HMAC of the token joins what was shown before
		path := logFile(t, func(l *Log) {
			l.Day()
			l.Shown = later
			l.Wait(time.Minute)
			l.Read(People()[0], "billing", Token(2), "gst")
		}, "token_id")
		r := mustJSON(t, "", path)
		if got := r.all("alarms", "message"); len(r["alarms"]) != 1 || !strings.Contains(got, tokenID(Token(2))) || !strings.Contains(got, "userpass-asha") {
			t.Errorf("want one alarm that names token and reader, got %s", got)
		}
	}
	if r := mustJSON(t, "", logFile(t, (*Log).Day, "token_id")); len(r["alarms"]) > 0 {
		t.Errorf("nothing is wrong, and still: %v", r["alarms"])
	}
}

// TestRevoked_ReceiversNotKnown: where the log hides or lacks what a read gave, the list of revocations does not say that nobody had it.
func TestRevoked_ReceiversNotKnown(t *testing.T) {
	withoutVault(t)
	revoke := Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
		"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}}
	read := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true}
	for name, path := range map[string]string{
		"hidden":     logFile(t, func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst"); l.Do(revoke) }),
		"unanswered": logFile(t, func(l *Log) { l.Do(read); l.Do(revoke) }, tuned()...),
	} {
		if r := mustJSON(t, "", path); len(r["revocations"]) != 1 || r.all("revocations", "receivers") == "" {
			t.Errorf("%s: userpass-asha may have had the revoked token, and the report says that nobody had it: %v", name, r["revocations"])
		}
	}
}

// TestRevoked_ReceiversThroughAnotherMount: who had a revoked token is asked of every mount of the engine, as for a leaked one.
func TestRevoked_ReceiversThroughAnotherMount(t *testing.T) {
	withoutVault(t)
	text := strings.ReplaceAll(logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
	}, tuned()...), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	if got := mustJSON(t, text, "-").all("revocations", "receivers"); !strings.Contains(got, "userpass-asha") || !strings.Contains(got, "userpass-bina") {
		t.Errorf("the revoked token had been given to two, got %q", got)
	}
}

// TestRevoked_AndPassedOn: what a caller wrapped, and who named it as rejected, is reported of a revoked token as of a leaked one.
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

// TestRevoked_UnwrappedBesideAnother: what is unwrapped may have two tokens. Each had been given to who unwrapped it.
func TestRevoked_UnwrappedBesideAnother(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, data := range map[string]map[string]any{
		"two notes":                           {"a": Token(1), "b": Token(2)},
		"beside a token":                      {"access_token": Token(1), "b": Token(2)},
		"beside a token, the other way round": {"access_token": Token(2), "b": Token(1)},
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Read(people[0], "billing", Token(2), "gst")
			l.Do(unwrap(people[1], "w", data)) // it was wrapped in a file that is not here
			for n := range 2 {
				l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{l.id(1 + n): map[string]any{}}}})
			}
		}, tuned()...))
		r := mustJSON(t, "", "-audit-device=file", path)
		for n := range 2 {
			if got := search(t, Token(1+n), path); got.given != "userpass-asha userpass-bina" {
				t.Errorf("%s: searched, token %d was given to %q", name, 1+n, got.given)
			}
			for _, row := range r["revocations"] {
				if got := row.text("receivers"); row.text("token_id") == tokenID(Token(1+n)) && !strings.Contains(got, "bina") && !strings.Contains(got, "not known") {
					t.Errorf("%s: userpass-bina had unwrapped the revoked token %d, and the report names %q alone", name, 1+n, got)
				}
			}
		}
	}
}

// The device was enabled anew, and the token is unwrapped without a lease: Vault is not asked for the HMAC of a revoked token.
func TestRevocations_UnwrappedWithoutLease(t *testing.T) {
	people := People()
	after := logOf(t, "key", func(l *Log) {
		l.n = 50
		l.Wait(time.Hour)
		l.Do(Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Shown, l.HideIssue = nil, true
		l.issued[Token(1)] = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
		l.Shown = tuned()
		l.Wait(time.Hour)
		l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{"tokens": map[string]any{
			l.id(1): map[string]any{"upstream": "killed", "valid_until": "2026-03-02T12:00:00Z"}}}})
	}, tuned()...)
	path := file(t, logOf(t, "former key", readByAsha, tuned()...)+after)
	vaultWith(t, map[string]string{"file": "key"})
	for _, args := range [][]string{{path}, {"-audit-device=file", path}} {
		got := mustJSON(t, "", args...).all("revocations", "receivers")
		if !strings.Contains(got, "not known for 1 reads") {
			t.Errorf("%q: userpass-bina unwrapped the token as well, and the receivers are %q", args, got)
		}
	}
}

// TestRevocations_WithoutAnswer: which tokens such a revocation ended is not known, nor who had them, or it names who had the one.
func TestRevocations_WithoutAnswer(t *testing.T) {
	withoutVault(t)
	id := tokenID(Token(1))
	for name, c := range map[string]struct {
		data map[string]any
		want string
	}{
		"all":         {nil, "not known"},
		"one":         {map[string]any{"token_id": id}, "userpass-asha"},
		"in capitals": {map[string]any{"token_id": " " + strings.ToUpper(id) + "\n"}, "userpass-asha"},
	} {
		r := mustJSON(t, "", logFile(t, func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Data: c.data, NoResponse: true})
		}, append(tuned(), "token_id")...))
		if got := r.all("revocations", "receivers"); !strings.HasPrefix(got, c.want) || c.data == nil && got != c.want {
			t.Errorf("%s: want the receivers %s, got %q", name, c.want, got)
		}
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
