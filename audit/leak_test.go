// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"regexp"
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

// TestLeak_OtherMountAndRawDevice: callers that were certainly given the token are named, for every mount of the engine.
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

// unwrap is an unwrapping of the wrapping by somebody.
func unwrap(by Caller, wrapping string, answer map[string]any) Request {
	return Request{By: by, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap", Data: map[string]any{"token": wrapping}, Answer: answer}
}

// TestLeak_WrappedUnderAnotherName: sys/wrapping/wrap takes any text under any name, and what is unwrapped may look like a refusal.
func TestLeak_WrappedUnderAnotherName(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, answer := range map[string]map[string]any{
		"a text":         {"note": Token(1)},
		"an error":       {"error": Token(1)},
		"with an error":  {"error": "x", "access_token": Token(1)},
		"nested":         {"a": map[string]any{"b": Token(1)}},
		"a header":       {"h": "Bearer " + Token(1)},
		"beside a decoy": {"access_token": Token(2), "token_id": "x", "note": Token(1)},
		"in clear":       {"shown": "it is " + Token(1)},
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: answer, Wrap: "w"})
			l.Do(unwrap(people[1], "w", answer))
		}, "shown"))
		t.Log(name)
		wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha userpass-bina", "")
	}
}

// TestLeak_WrappedWithTheNameOfAnother: whoever wraps the token under the token_id of another one blames nobody who was given that.
func TestLeak_WrappedWithTheNameOfAnother(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	answer := map[string]any{"access_token": Token(1), "token_id": tokenID(Token(2)), "token_type": "JWT"}
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[2], "billing", Token(2), "gst")
		l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: answer, Wrap: "w"})
		l.Do(unwrap(people[1], "w", answer))
	}))
	wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha userpass-bina", "")
	wantLeak(t, search(t, Token(2), path), exitOK, "approle", "")
}

// TestLeak_UnwrappedAndNotShown: the unwrapping of a read whose response the log leaves out clears neither reader nor asker.
func TestLeak_UnwrappedAndNotShown(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[1], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(people[3], "w", nil))
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-bina", "kubernetes-erp-invoices")
}

// TestLeak_SecondUnwrappingFails: a wrapping token is good once, and who came late was given nothing.
func TestLeak_SecondUnwrappingFails(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, late := range []Request{
		{Error: "1 error occurred:\n\t* wrapping token is not valid or does not exist\n\n"},
		{Answer: map[string]any{"error": "wrapping token is not valid or does not exist"}},
	} {
		for _, early := range []bool{true, false} {
			path := file(t, logOf(t, "key", func(l *Log) {
				l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
				failed := unwrap(people[1], "w", late.Answer)
				failed.Error = late.Error
				if early {
					l.Do(failed)
				}
				l.Do(unwrap(people[3], "w", l.Answer(Token(1), "gst")))
				if !early {
					l.Do(failed)
				}
			}))
			wantLeak(t, search(t, Token(1), path), exitOK, "kubernetes-erp-invoices", "")
		}
	}
}

// TestLeak_WrappingTokenAsVaultToken: a wrapping may be unwrapped by itself; one of the two names of the token is that of the wrapping.
func TestLeak_WrappingTokenAsVaultToken(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	for _, name := range []string{"internal w", "external w"} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: name})
			l.Do(Request{By: Caller{Name: "w", Remote: "10.9.9.9"}, Operation: "update", Mount: "sys/", Path: "wrapping/unwrap",
				Answer: l.Answer(Token(1), "gst")})
		}))
		wantLeak(t, search(t, Token(1), path), exitOK, "holder of the wrapping token", "")
	}
}

// TestLeak_AnyMountOfTheEngine: an upstream may give two mounts one token, so that unjudged reads of another mount are possible.
func TestLeak_AnyMountOfTheEngine(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	tax := func(key string) string {
		return strings.ReplaceAll(logOf(t, key, func(l *Log) {
			l.n = 50
			l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst")})
		}), `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	}
	mine := logOf(t, "key", func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") })
	wantLeak(t, search(t, Token(1), file(t, mine+tax("former key"))), exitIncomplete, "userpass-asha", "userpass-bina")
	wantLeak(t, search(t, Token(1), file(t, mine+tax("key"))), exitOK, "userpass-asha userpass-bina", "")
}

// TestLeak_LogBeginsTooLate: who was given the token before the first line is not known.
func TestLeak_LogBeginsTooLate(t *testing.T) {
	withoutVault(t)
	log := func(issued time.Duration) string {
		return file(t, logOf(t, "", func(l *Log) {
			answer := l.Answer(Token(1), "gst")
			answer["issued_at"] = l.now.Add(issued).Format(time.RFC3339)
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer})
		}, tuned()...))
	}
	wantLeak(t, search(t, Token(1), log(-time.Minute)), exitOK, "userpass-asha", "")
	wantLeak(t, search(t, Token(1), log(-time.Hour)), exitIncomplete, "userpass-asha", "")
}

// TestLeak_LogBeginsWithinARequest: a response without its request tells that a file before is missing, and who is in it is not known.
func TestLeak_LogBeginsWithinARequest(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	read := func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") }
	_, cut, _ := strings.Cut(logOf(t, "key", read), "\n")
	wantLeak(t, search(t, Token(1), file(t, cut)), exitIncomplete, "userpass-asha", "")
}

// TestLeak_ForwardedTwiceAnsweredOnce: the active node's log has one of two forwarded reads, so that the other one is open.
func TestLeak_ForwardedTwiceAnsweredOnce(t *testing.T) {
	withoutVault(t)
	standby := logOf(t, "", func(l *Log) {
		l.n = 5000
		for range 2 {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "cannot write to readonly storage"})
			l.Wait(10 * time.Second)
		}
	})
	active := func(reads int) string {
		return logOf(t, "", func(l *Log) {
			for range reads {
				l.Wait(10 * time.Second)
				l.Read(People()[0], "billing", Token(2), "gst")
			}
			l.Read(People()[1], "billing", Token(1), "gst")
		}, "token_id")
	}
	wantLeak(t, search(t, Token(1), file(t, standby+active(2))), exitOK, "userpass-bina", "")
	wantLeak(t, search(t, Token(1), file(t, standby+active(1))), exitIncomplete, "userpass-bina", "userpass-asha")
}

// TestLeak_ResponseWithoutCaller: a response may lack what its request has, and who it was is known all the same.
func TestLeak_ResponseWithoutCaller(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	lines := strings.SplitAfter(logOf(t, "key", func(l *Log) { l.Read(People()[0], "billing", Token(1), "gst") }), "\n")
	bare := logOf(t, "key", func(l *Log) { l.Read(Caller{Remote: "10.1.0.11"}, "billing", Token(1), "gst") })
	wantLeak(t, search(t, Token(1), file(t, lines[0]+strings.SplitAfter(bare, "\n")[1])), exitOK, "userpass-asha", "")
}

// TestLeak_RequestsWithoutID: where the log leaves out ids, each line is a request of its own, and no two are taken for one.
func TestLeak_RequestsWithoutID(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := regexp.MustCompile(`"id":"[^"]*-[^"]*",`).ReplaceAllString(logOf(t, "key", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Wait(-5 * time.Millisecond)
		l.Read(People()[1], "billing", Token(1), "gst")
	}), "")
	wantLeak(t, search(t, Token(1), file(t, text), file(t, text)), exitIncomplete, "userpass-asha userpass-bina", "userpass-asha userpass-bina")
}

// TestLines_InAnyShape: what programs make of a log on its way is read as it is, or it is said that it is not.
func TestLines_InAnyShape(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := strings.TrimSpace(logOf(t, "key", func(l *Log) {
		l.Other(People()[2])
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}))
	lines := strings.Split(text, "\n")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(lines[5]), "", "  "); err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(lines[5])
	const both = "userpass-asha userpass-bina"
	for name, test := range map[string]struct {
		text, given, possible string
		code                  int
	}{
		"two entries on a line":   {strings.Join(lines, ""), both, "", exitOK},
		"an array":                {"[" + strings.Join(lines, ",") + "]", both, "", exitOK},
		"an array, line by line":  {"[\n" + strings.Join(lines, ",\n") + "\n]\n", both, "", exitOK},
		"a prefix with a brace":   {"{vault} " + strings.Join(lines, "\nvault[{1}]: "), both, "", exitOK},
		"carriage returns":        {strings.Join(lines, "\r\n"), both, "", exitOK},
		"escaped slashes":         {strings.ReplaceAll(text, "/", `\/`), both, "", exitOK},
		"a byte order mark":       {"\ufeff" + text, both, "", exitOK},
		"one without its end":     {strings.Join(lines[:5], "\n") + "\n" + lines[5][:300], "userpass-asha", "userpass-bina", exitIncomplete},
		"one cut before the next": {lines[5][:500] + strings.Join(lines[:5], "\n"), "userpass-asha", "userpass-bina", exitIncomplete},
		"one without its start":   {lines[5][strings.Index(lines[5], `"hmac-sha256:`)+60:strings.Index(lines[5], "mastersindia")] + "}\n" + strings.Join(lines[:4], "\n"), "userpass-asha", "", exitIncomplete},
		"pretty printed":          {strings.Join(lines[:5], "\n") + "\n" + pretty.String(), "userpass-asha", "userpass-bina", exitIncomplete},
		"in the text of another":  {strings.Join(lines[:5], "\n") + `{"stream":"stdout","message":` + string(quoted) + "}\n", "userpass-asha", "userpass-bina", exitIncomplete},
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, test.text)), test.code, test.given, test.possible)
	}
}

// TestSecrets_InTextsOfErrors: an upstream or a user may write a credential into any text.
func TestSecrets_InTextsOfErrors(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		for _, text := range []string{
			"401 for Authorization: Basic aW52ZW50ZWQ6c2VjcmV0", "sent Bearer invented-secret-1", "password=invented-secret-2 is wrong",
			`{"client_secret": "invented-secret-3"}`, "x_api_key=invented-secret-4;a", "refresh_token: invented-secret-5", "hvs.CAESIinventedinventedinventedsecret",
		} {
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: text})
			l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "config/gst", Data: map[string]any{"pause_reason": text}})
		}
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/x", Error: "to resume: vault write mastersindia/config/gst password=-"})
	}, append(tuned(), "pause_reason")...)
	for _, format := range formats() {
		text := must(t, "", "-format="+format, path)
		if strings.Contains(text, "invented") || strings.Contains(text, "aW52") || !strings.Contains(text, withheld) {
			t.Errorf("%s shows a secret:\n%s", format, text)
		}
		if !strings.Contains(text, "password=-") {
			t.Errorf("%s does not show the command of an error", format)
		}
	}
}
