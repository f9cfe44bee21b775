// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wantLeak checks a search: who was given the token, who may have been, and the exit code.
func wantLeak(t *testing.T, got leak, code int, given, possible string) {
	t.Helper()
	if got.code != code || got.given != given || got.possible != possible {
		t.Errorf("want exit code %d, given to %q, possibly to %q; got %d, %q, %q (%s)", code, given, possible, got.code, got.given, got.possible, got.why)
	}
}

// TestLeak_OtherDeviceOrFormerSalt: what Vault hashes today says nothing about lines that another key has hashed.
func TestLeak_OtherDeviceOrFormerSalt(t *testing.T) {
	people := People()
	vaultWith(t, map[string]string{"file": "key of today"})
	read := func(who int) func(*Log) {
		return func(l *Log) { l.n = 10 * who; l.Read(people[who], "billing", Token(1), "gst") }
	}
	former := file(t, logOf(t, "key of before", read(0)))
	got := search(t, Token(1), former)
	wantLeak(t, got, exitIncomplete, "", "userpass-asha")
	if !strings.Contains(got.why, "another audit device") {
		t.Errorf("the reason is %q", got.why)
	}
	today := file(t, logOf(t, "key of today", read(1)))
	wantLeak(t, search(t, Token(1), former, today), exitIncomplete, "userpass-bina", "userpass-asha")
	wantLeak(t, search(t, Token(1), today), exitOK, "userpass-bina", "")
	// A line of the key that Vault knows is judged, whoever was given another token.
	other := file(t, logOf(t, "key of today", func(l *Log) {
		l.Read(people[1], "billing", Token(1), "gst")
		l.Read(people[2], "billing", Token(2), "gst")
	}))
	wantLeak(t, search(t, Token(1), other), exitOK, "userpass-bina", "")
}

// TestLeak_NobodyIsNotAnAllClear: a token that leaked was given to somebody.
func TestLeak_NobodyIsNotAnAllClear(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	log := file(t, logOf(t, "key", readByAsha))
	wantLeak(t, search(t, Token(7), log), exitIncomplete, "", "")
	if text := must(t, Token(1)[:20], "-token-file=-", log); !strings.Contains(text, "not the whole token") {
		t.Errorf("a part of a token is in no log, and no note tells: %s", text)
	}
}

// TestLeak_FilesOfTwoDevices: each device logs each request, and Vault may know the key of one only.
func TestLeak_FilesOfTwoDevices(t *testing.T) {
	reads := func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(2), "gst")
	}
	one, two := file(t, logOf(t, "removed", reads)), file(t, logOf(t, "second", reads))
	vaultWith(t, map[string]string{"second": "second"})
	for _, files := range [][]string{{one, two}, {two, one}} {
		wantLeak(t, search(t, Token(1), append([]string{"-audit-device=second"}, files...)...), exitOK, "userpass-asha", "")
	}
	if text := must(t, "", one, two); text != must(t, "", two, one) || mustJSON(t, "", one, two).count("given") != 2 {
		t.Errorf("two devices log two reads, and the report says:\n%s", text)
	}
}

// nodes are the logs of three nodes: a wrapped read, its rewrapping and its unwrapping.
func nodes(t *testing.T) (logs [3]string) {
	t.Helper()
	asha, erp := People()[0], People()[3]
	at := func(n int, do func(*Log)) {
		logs[n] = file(t, logOf(t, "", func(l *Log) { l.n = n * 1000; l.Wait(time.Duration(n) * time.Hour); do(l) }))
	}
	at(0, func(l *Log) {
		l.Do(Request{By: asha, Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "wrapping-1"})
		l.Wait(10 * time.Hour)
		l.Other(asha)
	})
	at(1, func(l *Log) {
		l.Do(Request{By: asha, Operation: "update", Mount: "sys/", Path: "wrapping/rewrap", Data: map[string]any{"token": "wrapping-1"}, Wrap: "wrapping-2"})
	})
	at(2, func(l *Log) {
		l.Wait(-3 * time.Hour)
		l.Other(erp) // the last step is in the file that begins first
		l.Wait(3 * time.Hour)
		l.Do(Request{By: erp, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-2"}, Answer: l.Answer(Token(1), "gst")})
	})
	return logs
}

func TestLeak_NodesInAnyOrder(t *testing.T) {
	vaultWith(t, map[string]string{"file": "audit-device-key"})
	logs := nodes(t)
	first := ""
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		files := []string{logs[order[0]], logs[order[1]], logs[order[2]]}
		wantLeak(t, search(t, Token(1), files...), exitOK, "kubernetes-erp-invoices", "")
		text := must(t, Token(1), append([]string{"-token-file=-"}, files...)...)
		if first == "" {
			first = text
		}
		if text != first {
			t.Errorf("the order %v gives another report:\n%s\n%s", order, first, text)
		}
	}
}

// TestReport_SameForCopies: copies and compressed files tell nothing new.
func TestReport_SameForCopies(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", (*Log).Day, tuned()...)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	plain, packed := file(t, text), file(t, zipped.String())
	for _, format := range formats() {
		want := must(t, "", "-format="+format, plain)
		for _, files := range [][]string{{packed}, {plain, packed}, {packed, plain}, {plain, plain}} {
			if got := must(t, "", append([]string{"-format=" + format}, files...)...); got != want {
				t.Errorf("%s of %d files is another report", format, len(files))
			}
		}
	}
}

// TestReport_SameEachTime: eight runs, also with many rows of the same time.
func TestReport_SameEachTime(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		for n := range 200 {
			by := Caller{Name: "approle", Entity: fmt.Sprintf("entity-%d", n%9), Remote: "10.1.1.1"}
			l.Do(Request{By: by, Operation: "read", Mount: mountPath, Path: fmt.Sprintf("token/role-%d", n%7), NoResponse: true})
			l.Do(Request{By: by, Operation: "read", Mount: mountPath, Path: "token/none", NoRequest: true, Error: "refused"})
			l.Wait(-10 * time.Millisecond)
		}
	})
	want := must(t, "", "-format=json", path)
	for range 8 {
		if must(t, "", "-format=json", path) != want {
			t.Fatal("another run gives another report")
		}
	}
}

// TestLeak_UnwrapWithoutWrappedRead: the wrapped read is in a file that is not here.
func TestLeak_UnwrapWithoutWrappedRead(t *testing.T) {
	unwrap := func(l *Log) {
		l.Do(Request{By: People()[3], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-1"}, Answer: l.Answer(Token(1), "gst")})
		l.Read(People()[1], "billing", Token(2), "gst")
	}
	vaultWith(t, map[string]string{"file": "key"})
	wantLeak(t, search(t, Token(1), file(t, logOf(t, "key", unwrap))), exitOK, "kubernetes-erp-invoices", "")
	wantLeak(t, search(t, Token(1), file(t, logOf(t, "another key", unwrap))), exitIncomplete, "", "kubernetes-erp-invoices userpass-bina")
	withoutVault(t)
	got := search(t, Token(1), file(t, logOf(t, "key", unwrap)))
	wantLeak(t, got, exitIncomplete, "", "kubernetes-erp-invoices userpass-bina")
	if !strings.Contains(got.why, "Vault was not asked") || !strings.Contains(got.why, "the wrapped read is not in the log") {
		t.Errorf("the reasons are %q", got.why)
	}
}

func TestLeak_ReaderAmongTenThousand(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		for n := range 10_050 {
			token := Token(1)
			if n > 10_040 {
				token = Token(2)
			}
			l.Read(Caller{Name: fmt.Sprintf("approle-%05d", n), Entity: fmt.Sprintf("entity-%05d", n), Remote: "10.1.1.1", Policies: People()[0].Policies}, "billing", token, "gst")
		}
	}, "token_id")
	got := search(t, Token(2), path)
	wantLeak(t, got, exitOK, "approle-10041 approle-10042 approle-10043 approle-10044 approle-10045 approle-10046 approle-10047 approle-10048 approle-10049", "")
}

func TestSecrets_NeverPrinted(t *testing.T) {
	withoutVault(t)
	data := map[string]any{
		"headers":   map[string]any{"X-Api-Key": "invented-1-key", "Productid": "invented-1-product"},
		"token_url": "https://robot:invented-2@login.example.com/auth?apikey=invented-3#invented-4",
		"proxy_url": "http://robot:inv?ented-5@proxy.example.com:3128", "refresh_headers": "Authorization=Basic invented-6",
		"pause_reason": "see https://robot:invented-7@wiki.example.com/?t=invented-8 and eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC05.x",
		"passwrod":     "invented-10", "metadata": map[string]any{"gstin": "invented-11"}, "password": "invented-12", "username": "api-user",
	}
	shown := []string{"error", "Productid", "X-Api-Key", "gstin"}
	for name := range data {
		shown = append(shown, name)
	}
	path := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: data})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "token/eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC0xMw.x"})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "lookup/" + strings.Repeat("0123456789", 4), Answer: map[string]any{"error": "x"}})
		l.Do(Request{By: People()[4], Operation: "read", Mount: mountPath, Path: "token/x", Error: "https://a:invented-14@b.example.com/c?d=invented-15"})
	}, shown...)
	for _, format := range formats() {
		text := must(t, "", "-format="+format, path)
		if at := strings.Index(text, "nvented-"); at >= 0 || strings.Contains(text, "ented-5") || strings.Contains(text, "eyJhbGci") ||
			strings.Contains(text, "0123456789012") {
			t.Errorf("%s shows a secret: %.60s", format, text[max(at-20, 0):])
		}
		if format != "html" && !strings.Contains(text, "https://"+withheld+"@login.example.com/auth") || !strings.Contains(text, "api-user") {
			t.Errorf("%s does not show where the config points:\n%s", format, text)
		}
	}
	alarms := mustJSON(t, "", path).all("alarms", "message")
	for _, want := range []string{"shows password", "shows authorization", "shows token_url", "shows proxy_url", "shows pause_reason", "a token in a path"} {
		if !strings.Contains(alarms, want) {
			t.Errorf("no alarm that the log %s in %q", want, alarms)
		}
	}
}

func TestAlarm_EverySecretInTheLog(t *testing.T) {
	withoutVault(t)
	for name, request := range map[string]Request{
		"access_token":  {Path: "token/billing", Operation: "read", Answer: map[string]any{"access_token": "invented-1"}},
		"authorization": {Path: "token/billing", Operation: "read", Answer: map[string]any{"authorization": "JWT invented-1", "token_id": "x"}},
		"refresh_token": {Path: "status/gst", Operation: "read", Answer: map[string]any{"account": map[string]any{"refresh_token": "invented-1"}}},
		"token":         {Path: "lookup", Operation: "update", Data: map[string]any{"token": "invented-1"}},
		"password":      {Path: "config/gst", Operation: "update", Data: map[string]any{"password": "invented-1"}},
		"client_secret": {Path: "config/gst", Operation: "update", Data: map[string]any{"nested": map[string]any{"client_secret": "invented-1"}}},
	} {
		request.By, request.Mount = People()[0], mountPath
		if request.Data["token"] != nil {
			name = "token"
		}
		path := logFile(t, func(l *Log) { l.Do(request) }, name)
		for _, format := range formats() {
			r := runWith(t, "", "-format="+format, path)
			if text := r.stdout + r.stderr; !strings.Contains(text, "the log shows "+name+" in clear") || strings.Contains(text, "invented-1") {
				t.Errorf("%s, %s: want an alarm without the secret:\n%s", name, format, text)
			}
		}
	}
	unwrapped := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "wrapping-1"})
		l.Do(Request{By: People()[3], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
			Data: map[string]any{"token": "wrapping-1"}, Answer: l.Answer(Token(1), "gst")})
	}, "access_token")
	if r := mustJSON(t, "", unwrapped); !strings.Contains(r.all("alarms", "message"), "access_token") {
		t.Errorf("an unwrapped token is in clear, and there is no alarm: %v", r["alarms"])
	}
	wantLeak(t, search(t, Token(1), unwrapped), exitOK, "kubernetes-erp-invoices", "")
}

// TestCount_SlowRequest: however many others come between a request and its response, it is one.
func TestCount_SlowRequest(t *testing.T) {
	withoutVault(t)
	slow := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Lease: true}
	text := logOf(t, "", func(l *Log) { slow.Answer = l.Answer(Token(1), "gst"); l.Do(slow) }, "token_id")
	request, response, _ := strings.Cut(text, "\n")
	between := logOf(t, "", func(l *Log) {
		l.n = 10
		for range 2100 {
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		}
	})
	r := mustJSON(t, request+"\n"+between+response, "-")
	if r.count("given") != 1 || r.count("unanswered") != 2100 || r.count("requests") != 2101 {
		t.Errorf("want one read and 2100 unanswered, got %v", r["summary"])
	}
}

// TestCount_CopiesOfLargeFiles: a copy counts nothing twice, however many requests it has.
func TestCount_CopiesOfLargeFiles(t *testing.T) {
	withoutVault(t)
	const requests = 20_010
	var text strings.Builder
	for n := range requests {
		fmt.Fprintf(&text, `{"time":"2026-03-01T08:00:00Z","type":"response","auth":{"display_name":"a","entity_id":"e","policy_results":{"allowed":true}},`+
			`"request":{"id":"%08d","operation":"list","path":"mastersindia/role","mount_point":"mastersindia/"},"response":{}}`+"\n", n)
	}
	path, copied := file(t, text.String()), file(t, text.String()+"\n")
	if r := mustJSON(t, "", path, copied); r.count("requests") != requests {
		t.Errorf("want %d requests, got %v", requests, r["summary"])
	}
}

// TestCallers_OfOneName: three entities have one display name, and are three callers.
func TestCallers_OfOneName(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		for n := range 3 {
			l.Read(Caller{Name: "approle", Entity: fmt.Sprintf("entity-%d", n), Remote: "10.1.1.1"}, "billing", Token(1), "gst")
		}
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
			"tokens": map[string]any{tokenID(Token(1)): map[string]any{}}}})
	}, tuned()...))
	if got := r.all("revocations", "receivers"); got != "approle [entity-0], approle [entity-1], approle [entity-2]" {
		t.Errorf("the revoked token had been given to %s", got)
	}
	if r.count("callers") != 3 || len(r["readings"]) != 3 {
		t.Errorf("want three callers, got %v", r["readings"])
	}
}

// TestCallers_WithoutEntity: batch tokens have neither an entity nor an accessor.
func TestCallers_WithoutEntity(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", func(l *Log) {
		for n := range 3 {
			l.Read(Caller{Name: fmt.Sprintf("batch-%d", n), Remote: "10.1.1.1", Policies: []string{fmt.Sprintf("policy-%d", n)}}, "billing", Token(1), "gst")
		}
	}, tuned()...)
	for n := range 3 {
		text = strings.ReplaceAll(text, `"display_name":"batch-`+fmt.Sprint(n)+`"`, `"display_name":"token"`)
		text = strings.ReplaceAll(text, (&Log{Key: "audit-device-key"}).HMAC("accessor batch-"+fmt.Sprint(n)), "")
	}
	r := mustJSON(t, text, "-")
	if r.count("callers") != 3 || len(r["readings"]) != 3 {
		t.Fatalf("want three callers, got %v", r["readings"])
	}
	for n, row := range r["requests"] {
		if want := fmt.Sprintf("policy-%d", n); row.text("policies") != want {
			t.Errorf("the policies of request %d are %q, want %q", n, row.text("policies"), want)
		}
	}
}

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

// TestLeak_WrappedBySomebodyElse: a reader may wrap the token as any text.
func TestLeak_WrappedBySomebodyElse(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	hand := func(key string) string {
		return file(t, logOf(t, key, func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Do(Request{By: People()[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"access_token": Token(1)}, Wrap: "w"})
			l.Do(Request{By: People()[1], Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
				Data: map[string]any{"token": "w"}, Answer: map[string]any{"access_token": Token(1)}})
		}))
	}
	wantLeak(t, search(t, Token(1), hand("key")), exitOK, "userpass-asha userpass-bina", "")
	wantLeak(t, search(t, Token(1), hand("former key")), exitIncomplete, "", "userpass-asha userpass-bina")
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

// TestLeak_SpanDoesNotHideReads: -since is about the lists, and not about who was given a leaked token.
func TestLeak_SpanDoesNotHideReads(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		l.Wait(24 * time.Hour)
		l.Read(People()[2], "billing", Token(2), "gst")
	}, "token_id")
	wantLeak(t, search(t, Token(1), "-since=2026-03-02", path), exitIncomplete, "userpass-asha", "userpass-bina")
	if r := mustJSON(t, "", "-since=2026-03-02", path); r.count("given") != 1 || r.count("unanswered") != 0 {
		t.Errorf("want one read since, got %v", r["summary"])
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

// container puts around each line what a container runtime does: Docker's JSON or CRI, in parts of at most size bytes.
func container(t *testing.T, text string, docker bool, size int) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for line != "" {
			part := line[:min(size, len(line))]
			line = line[len(part):]
			if docker {
				if line == "" {
					part += "\n"
				}
				quoted, err := json.Marshal(part)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, `{"log":%s,"stream":"stdout","time":"2026-03-01T08:00:00.000000001Z"}`+"\n", quoted)
			} else {
				fmt.Fprintf(&out, "2026-03-01T08:00:00.000000001Z stdout %s %s\n", map[bool]string{true: "F", false: "P"}[line == ""], part)
			}
		}
	}
	return out.String()
}

func TestContainers_AreUnwrapped(t *testing.T) {
	withoutVault(t)
	text := "==> Vault server started! Log data will stream in below:\n" + logOf(t, "", (*Log).Day, tuned()...)
	want := must(t, text, "-format=json", "-")
	for _, docker := range []bool{true, false} {
		for _, size := range []int{16 << 10, 700} {
			wrapped := container(t, text, docker, size)
			if r := runWith(t, wrapped, "-format=json", "-"); r.code != exitOK || r.stdout != want {
				t.Errorf("docker %t, parts of %d: exit code %d, another report: %s", docker, size, r.code, r.stderr)
			}
			if r := runWith(t, wrapped[:len(wrapped)-600], "-"); r.code != exitIncomplete || !strings.Contains(r.stdout, "damaged") {
				t.Errorf("docker %t, parts of %d: a damaged line gives exit code %d", docker, size, r.code)
			}
		}
	}
}

func TestExit_NothingOfTheMount(t *testing.T) {
	withoutVault(t)
	log := logOf(t, "", (*Log).Day)
	for text, args := range map[string][]string{log: {"-mount=elsewhere", "-"}, "": {"-"}, "no log at all\n": {"-"}} {
		if r := runWith(t, text, args...); r.code != exitIncomplete || !strings.Contains(r.stdout, "vault secrets list") {
			t.Errorf("%q: want exit code 3 and what to do, got %d: %s", args, r.code, r.stdout)
		}
	}
}

// TestFiles_ABadOneIsANote: what the others tell is reported, with an exit code that says that something is missing.
func TestFiles_ABadOneIsANote(t *testing.T) {
	withoutVault(t)
	good := logFile(t, (*Log).Day, tuned()...)
	for _, bad := range []string{
		file(t, "\xfd7zXZ\x00"+"x"), file(t, "an archive, or the log of a server\n"), file(t, strings.ReplaceAll(logOf(t, "", (*Log).Day), "", "\x00")),
		good + ".none", t.TempDir(), file(t, "\x1f\x8bxx"),
	} {
		r := runWith(t, "", "-format=json", bad, good)
		if r.code != exitIncomplete || !strings.Contains(r.stdout, `"given":42`) || !strings.Contains(r.stdout, bad) {
			t.Errorf("%s: want a report and a note, got %d: %s%s", bad, r.code, r.stderr, r.stdout)
		}
	}
	for _, bad := range []string{good + ".none", t.TempDir(), file(t, "\x1f\x8bxx")} {
		if r := runWith(t, "", bad); r.code != exitFailed || r.stdout != "" {
			t.Errorf("%s alone: want exit code 1, got %d", bad, r.code)
		}
	}
}

// TestAlarm_TokenInPlaceOfItsID: token_id and rejected_token_id are shown, and a user may give the token itself. It is no token_id.
func TestAlarm_TokenInPlaceOfItsID(t *testing.T) {
	withoutVault(t)
	for path, name := range map[string]string{"token/billing": "rejected_token_id", "lookup": "token_id", "revoke/gst": "token_id"} {
		log := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: path, Data: map[string]any{name: Token(1)},
				Answer: map[string]any{"error": "must be the token_id that came with the token: 16 hex digits"}})
		}, append(tuned(), name)...)
		if got := mustJSON(t, "", log).all("alarms", "message"); !strings.Contains(got, name) {
			t.Errorf("%s: the log shows a token as %s, and the alarms are %q", path, name, got)
		}
	}
}

// TestSecrets_TokenAsParameterOfAConfig: what is shown as token_id is printed only where it is one.
func TestSecrets_TokenAsParameterOfAConfig(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		for _, name := range []string{"token_id", "rejected_token_id"} {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{name: Token(1)},
				Answer: map[string]any{"error": name + ": unknown parameter"}})
		}
	}, append(tuned(), "rejected_token_id")...)
	for _, format := range formats() {
		if text := must(t, "", "-format="+format, log); strings.Contains(text, Token(1)) {
			t.Errorf("%s shows the token", format)
		}
	}
}

// TestSecrets_BehindTheMarkOfAnHMAC: only what the audit device writes, which is 64 hex digits, is taken for an HMAC.
func TestSecrets_BehindTheMarkOfAnHMAC(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Error: hmacPrefix + " password=invented-1",
			Data: map[string]any{"pause_reason": hmacPrefix + " https://a:invented-2@b.example.com/"}})
	}, append(tuned(), "pause_reason")...)
	for _, format := range formats() {
		if text := must(t, "", "-format="+format, log); strings.Contains(text, "invented-") {
			t.Errorf("%s shows a secret", format)
		}
	}
}

// TestSecrets_AddressOfVault: the address of Vault may have a password, which no message repeats.
func TestSecrets_AddressOfVault(t *testing.T) {
	log := logFile(t, (*Log).Day)
	vaultWith(t, nil)
	t.Setenv("VAULT_ADDR", strings.Replace(os.Getenv("VAULT_ADDR"), "http://", "http://robot:invented-password@", 1))
	for _, args := range [][]string{{"-token-file=-", log}, {"-token-file=-", "-audit-device=other", log}} {
		if r := runWith(t, Token(1), args...); r.code != exitFailed || strings.Contains(r.stderr, "invented-password") {
			t.Errorf("%q: want exit code 1 and no password, got %d: %s", args, r.code, r.stderr)
		}
	}
}

// TestAlarm_SecretThatIsANumber: a password of digits may be given without quotes.
func TestAlarm_SecretThatIsANumber(t *testing.T) {
	withoutVault(t)
	log := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"password": 20261126}})
	}, "password")
	if got := mustJSON(t, "", log).all("alarms", "message"); !strings.Contains(got, "shows password") {
		t.Errorf("want an alarm for the password, got %q", got)
	}
}

// TestAlarm_CredentialInAQuery: a shown URL may have a credential in its query.
func TestAlarm_CredentialInAQuery(t *testing.T) {
	withoutVault(t)
	for query, want := range map[string]bool{"?api_key=invented-1": true, "?a=b&client_secret=invented-1": true, "?appContext=firstvision": false} {
		log := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst",
				Data: map[string]any{"token_url": "https://login.example.com/token" + query}})
		}, tuned()...)
		if got := mustJSON(t, "", log).all("alarms", "message"); strings.Contains(got, "shows token_url") != want {
			t.Errorf("%s: want an alarm %t, got %q", query, want, got)
		}
	}
}

// TestAlarm_SecretInTheRequestURI: Vault logs the query of a request in clear, whatever the mount is tuned to. "vault read" makes one.
func TestAlarm_SecretInTheRequestURI(t *testing.T) {
	withoutVault(t)
	for _, query := range []string{"rejected_token_id=" + Token(1), "rejected_token_id=eyJhbGciOiJub25lIn0.eyJpbnZlbnRlZC0xMw.x", "token=" + Token(1)} {
		text := strings.ReplaceAll(logOf(t, "", readByAsha),
			`"path":"mastersindia/token/billing"`, `"path":"mastersindia/token/billing","request_uri":"/v1/mastersindia/token/billing?`+query+`"`)
		if got := mustJSON(t, text, "-").all("alarms", "message"); !strings.Contains(got, "use vault write") || strings.Contains(got, "audit_non_hmac") {
			t.Errorf("the log shows %s, want an alarm that names the cause, got %q", query, got)
		}
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

// TestAlarm_UnwrappedInClearWithoutItsRead: an unwrapping that shows the token is alarming, wherever the wrapped read is. Its role has
// lease=false, so that no lease tells the mount.
func TestAlarm_UnwrappedInClearWithoutItsRead(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		l.Read(People()[1], "billing", Token(2), "gst")
		l.Do(unwrap(People()[3], "w", l.Answer(Token(1), "gst")))
	}, append(tuned(), "access_token", "token_type")...))
	if got := r.all("alarms", "message"); !strings.Contains(got, "in 2 requests") {
		t.Errorf("want an alarm for two tokens in clear, got %q", got)
	}
	if got := r.all("readings", "who"); !strings.Contains(got, People()[3].Name) {
		t.Errorf("want the unwrapping by %s, got %s", People()[3].Name, got)
	}
}

// TestAlarm_OfARawDevice: what a device with log_raw=true shows is mended at the device, and not at the mount.
func TestAlarm_OfARawDevice(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha)
	text = strings.ReplaceAll(text, (&Log{Key: "audit-device-key"}).HMAC("external userpass-asha"), "hvs.CAESIinventedinventedinvented")
	if got := mustJSON(t, text, "-").all("alarms", "message"); !strings.Contains(got, "client_token") || !strings.Contains(got, "log_raw") {
		t.Errorf("want an alarm for client_token that names log_raw, got %q", got)
	}
}

// TestSecrets_HintOfAFile: what the engine tells to type is shown as it is.
func TestSecrets_HintOfAFile(t *testing.T) {
	withoutVault(t)
	r := mustJSON(t, "", logFile(t, func(l *Log) {
		for _, text := range []string{"give it from a file as token=@FILE", "username=- password=@file", "password=@filed-invented",
			"client_secret: is not used by protocol jwt", "password: isinvented"} {
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "lookup", Error: text})
		}
	}))
	got := r.all("refusals", "error")
	if !strings.Contains(got, "token=@FILE") || !strings.Contains(got, "password=@file;") || !strings.Contains(got, "client_secret: is not used") || strings.Contains(got, "invented") {
		t.Errorf("want both hints and no secret, got %s", got)
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

// wantLinear checks that the processor's time for a report grows with the length of a log, and not with its square.
func wantLinear(t *testing.T, times int, fill func(l *Log, times int)) {
	t.Helper()
	took := func(times int) (seconds float64) {
		path := logFile(t, func(l *Log) { fill(l, times) })
		var before, after syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		must(t, "", path)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		return float64(after.Utime.Nano()-before.Utime.Nano()) / 1e9
	}
	few, many := took(times), took(8*times)
	if many > 24*few {
		t.Errorf("%d times took %f seconds, and eight times as many %f", times, few, many)
	}
}

// TestTime_OneWrappingTriedAgain: a program that starts again and again tries its wrapping token each time.
func TestTime_OneWrappingTriedAgain(t *testing.T) {
	withoutVault(t)
	wantLinear(t, 500, func(l *Log, times int) {
		late := unwrap(People()[0], "w", nil)
		late.Error, late.NoRequest = "wrapping token is not valid or does not exist", true
		for range times {
			l.Do(late)
		}
		l.Read(People()[1], "billing", Token(1), "gst")
	})
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

// TestLines_PlainBeforeGzip: "cat audit.log*" puts compressed files behind the plain one. What is in them is read, or it is said that it is not.
func TestLines_PlainBeforeGzip(t *testing.T) {
	withoutVault(t)
	read := func(who int) string {
		return logOf(t, "", func(l *Log) { l.n = 10 * who; l.Read(People()[who], "billing", Token(1), "gst") }, tuned()...)
	}
	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(read(1))); err != nil || z.Close() != nil {
		t.Fatal("not compressed")
	}
	got := search(t, Token(1), file(t, read(0)+zipped.String()))
	if got.code == exitOK && got.given != "userpass-asha userpass-bina" {
		t.Errorf("the compressed part shows userpass-bina, and the report clears her: given to %q, exit code %d", got.given, got.code)
	}
}

// TestTime_RevocationsAndUnjudgedReads: after a breach every config is revoked, and an untuned mount has reads that nobody can judge.
func TestTime_RevocationsAndUnjudgedReads(t *testing.T) {
	withoutVault(t)
	wantLinear(t, 250, func(l *Log, times int) {
		for n := range times {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "revoke/gst", Answer: map[string]any{
				"tokens": map[string]any{l.id(n): map[string]any{"upstream": "killed"}},
			}})
		}
	})
}

// TestToken_SchemeAlone: half of the value of an Authorization header is no token, and everybody was given the word JWT.
func TestToken_SchemeAlone(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(People()[1], "w", l.Answer(Token(1), "gst")))
	}))
	for _, word := range []string{"JWT", "Bearer\n", "gst"} {
		r := runWith(t, word, "-token-file=-", "-format=csv", path)
		if strings.Contains(r.stdout, "userpass-bina") {
			t.Errorf("userpass-bina was not given the token %q, and the report names her, exit code %d", word, r.code)
		}
	}
}

// TestVault_NamespaceOfTheShell: audit devices are outside of all namespaces, whatever namespace the user's shell has.
func TestVault_SettingsOfTheShell(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := map[string]any{"file/": map[string]any{"type": "file", "path": "file/"}}
		var asked struct{ Input string }
		if r.Header.Get("X-Vault-Wrap-Ttl") != "" {
			_, _ = w.Write([]byte(`{"data":null,"wrap_info":{"token":"x"}}`))
			return
		}
		if r.Header.Get("X-Vault-Namespace") != "" {
			http.Error(w, `{"errors":["unsupported path"]}`, http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&asked) == nil {
			data = map[string]any{"hash": (&Log{Key: "key"}).HMAC(asked.Input)}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "invented-vault-token")
	t.Setenv("VAULT_NAMESPACE", "team/tax")
	t.Setenv("VAULT_WRAP_TTL", "60s")
	path := file(t, logOf(t, "key", readByAsha))
	if r := runWith(t, Token(1), "-token-file=-", path); r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// TestSecrets_PairsInXMLAndQuotes: SOAP writes passwords as elements, JSON within a text has backslashes, and a password in quotes may have
// spaces.
func TestSecrets_PairsInXMLAndQuotes(t *testing.T) {
	withoutVault(t)
	for _, text := range []string{
		"<password>invented-1</password>", "<ns1:Password>invented-2</ns1:Password>", `the body was {\"password\":\"invented-3\"}`,
		`{"client_secret": "an invented-4 secret"}`, "password='an invented-5 secret'", "Authorization: Token invented-6",
	} {
		path := logFile(t, func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
		}, tuned()...)
		if strings.Contains(must(t, "", "-format=csv", path), "invented-") {
			t.Errorf("the report shows the secret of %s", text)
		}
	}
}

// TestFiles_EmptyGzip: no program compresses to nothing, so that an empty file of that name is one whose lines are lost (a full disk).
func TestFiles_EmptyGzip(t *testing.T) {
	withoutVault(t)
	empty := filepath.Join(t.TempDir(), "audit.log.2.gz")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := logFile(t, readByAsha, tuned()...)
	wantLeak(t, search(t, Token(1), log, empty), exitIncomplete, "userpass-asha", "")
}

// TestLines_BeforeBadGzip: what was read of a file counts, also where something behind it only begins like gzip.
func TestLines_BeforeBadGzip(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text+"\x1f\x8b and no more\n")), exitIncomplete, "userpass-asha", "")
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

// TestFiles_RotatedOneMissing: the numbers of rotated files tell that one between them was forgotten, as by audit.log.*.gz where the newest is
// not yet compressed.
func TestFiles_RotatedOneMissing(t *testing.T) {
	withoutVault(t)
	dir := t.TempDir()
	text := logOf(t, "", readByAsha, tuned()...)
	for names, missing := range map[string]string{
		"audit.log audit.log.2":               "audit.log.1",
		"audit.log.4 audit.log.1 audit.log":   "audit.log.2",
		"audit.log audit.log.1 audit.log.2":   "",
		"audit.log.2 audit.log.3":             "", // of an older day
		"audit.log audit.log.20260301":        "",
		"audit-10.0.0.1 audit-10.0.0.3":       "", // of two nodes
		"a.log a.log.1 b.log.7 b.log.8 c.log": "",
	} {
		var files []string
		for name := range strings.FieldsSeq(names) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
		r := runWith(t, Token(1), append([]string{"-token-file=-"}, files...)...)
		if (r.code == exitIncomplete) != (missing != "") || !strings.Contains(r.stdout, missing+" is not among the files") && missing != "" {
			t.Errorf("%s: want a note of %q, got exit code %d and\n%s", names, missing, r.code, r.stdout)
		}
	}
}

// TestLines_OfTheServersLog: a Vault server that logs as JSON, at level trace, to the same standard output as an audit device.
func TestLines_OfTheServersLog(t *testing.T) {
	withoutVault(t)
	text := logOf(t, "", readByAsha, tuned()...)
	other := `{"@level":"trace","@message":"handle request","@module":"secrets.vault-plugin-secrets-mastersindia.mastersindia_1"}` + "\n"
	wantLeak(t, search(t, Token(1), file(t, other+text+other)), exitOK, "userpass-asha", "")
}

// TestLines_NestedTooDeep: to decode a line of millions of brackets would take a stack of gigabytes, or try it from each of them. It is damaged.
func TestLines_NestedTooDeep(t *testing.T) {
	withoutVault(t)
	good := logOf(t, "", readByAsha, tuned()...)
	many := strings.Repeat("[", 3<<20)
	for _, bad := range []string{
		`{"x":"mastersindia","request":` + strings.Repeat(`{"a":`, 1<<20), `{"x":"other","request":` + strings.Repeat(`{"a":`, 1<<20),
		`{"time":"2026-03-01T08:00:00Z","type":"request","request":{"path":"mastersindia/x","data":{"a":` + many + strings.ReplaceAll(many, "[", "]") + "}}}",
		`{"log":"x","stream":` + many, `{"log":"{\"request\":` + many + `mastersindia\n"}`,
	} {
		began := time.Now()
		if got := search(t, Token(1), file(t, good+bad+"\n")); got.code != exitIncomplete || got.given != "userpass-asha" || time.Since(began) > 5*time.Second {
			t.Errorf("%.60s: %+v after %s", bad, got, time.Since(began))
		}
	}
	wide := strings.Repeat(`{"a":[]},`, 5000) // Vault writes as many of them as a request has
	wantLeak(t, search(t, Token(1), file(t, strings.ReplaceAll(good, `"headers":{`, `"headers":{"x":[`+wide+`1],`))), exitOK, "userpass-asha", "")
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

// TestAlarm_TokenInAWrapOrError: a wrap, or an error, may show the leaked token. The alarm stays when the wrap was unwrapped.
func TestAlarm_TokenInAWrapOrError(t *testing.T) {
	withoutVault(t)
	people := People()
	for name, fill := range map[string]func(*Log){
		"wrapped": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
		},
		"unwrapped": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
			l.Do(unwrap(people[1], "w", map[string]any{"other": Token(1)}))
		},
		"an error": func(l *Log) {
			readByAsha(l)
			l.Do(Request{By: people[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"config": "gst"}, Error: "cannot take " + Token(1)})
		},
	} {
		path := logFile(t, fill, append(tuned(), "note")...)
		if r := mustJSON(t, Token(1), "-token-file=-", path); len(r["alarms"]) == 0 {
			t.Errorf("%s: the log shows the token, and there is no alarm", name)
		}
	}
}

// TestSecrets_FieldRefusedForASecret: the engine refuses a field that contains a secret, and the log of a tuned mount shows it. Neither the
// report nor its database has it, also where the response is missing or its error is hashed.
func TestSecrets_FieldRefusedForASecret(t *testing.T) {
	withoutVault(t)
	const secret = "invented-password"
	write := func(name, message string, noResponse bool) func(*Log) {
		return func(l *Log) {
			l.Do(Request{By: People()[4], Operation: "update", Mount: mountPath, Path: "config/gst", NoResponse: noResponse,
				Data: map[string]any{"paused": true, name: "see " + secret}, Answer: map[string]any{"error": message}})
		}
	}
	for name, test := range map[string]struct {
		field, message   string
		hidden, noAnswer bool
		wantAlarm        string
	}{
		"a secret":        {field: "pause_reason", message: "protocol: must be one of them; pause_reason: contains a secret of the config, which all readers of the config would see", wantAlarm: "shows pause_reason in clear"},
		"a token":         {field: "pause_reason", message: "pause_reason: contains a token, which all readers of the config would see: give its token_id", wantAlarm: "shows pause_reason in clear"},
		"before":          {field: "pause_reason", message: "pause_reason: has a secret of the config in it, which all who read the config would see", wantAlarm: "shows pause_reason in clear"},
		"a token, before": {field: "pause_reason", message: "pause_reason: has a token in it, which all who read the config would see", wantAlarm: "shows pause_reason in clear"},
		"hidden error":    {field: "pause_reason", message: "pause_reason: contains a secret of the config", hidden: true},
		"no response":     {field: "pause_reason", noAnswer: true},
	} {
		shown := append(tuned(), test.field)
		if test.hidden {
			shown = []string{test.field}
		}
		path, database := logFile(t, write(test.field, test.message, test.noAnswer), shown...), filepath.Join(t.TempDir(), "audit.db")
		r := mustJSON(t, "", "-db="+database, path)
		stored, err := os.ReadFile(database)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range formats() {
			if strings.Contains(must(t, "", "-format="+format, path)+string(stored), secret) {
				t.Errorf("%s: %s or the database shows the secret", name, format)
			}
		}
		if alarms := r.all("alarms", "message"); !strings.Contains(alarms, test.wantAlarm) || test.wantAlarm == "" && alarms != "" {
			t.Errorf("%s: want the alarm %q, got %q", name, test.wantAlarm, alarms)
		}
		if written := r.all("requests", "written"); !test.noAnswer && !strings.Contains(written, test.field+"="+withheld) {
			t.Errorf("%s: written is %q", name, written)
		}
	}
	accepted := mustJSON(t, "", logFile(t, write("pause_reason", "", false), append(tuned(), "pause_reason")...))
	if written := accepted.all("requests", "written"); written != "pause_reason=see "+secret+", paused=true" {
		t.Errorf("a reason that the engine accepted is %q", written)
	}
}
