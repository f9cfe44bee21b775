// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	asked, answered := strings.SplitAfter(logOf(t, "key", readByAsha), "\n"), strings.SplitAfter(logOf(t, "former key", readByAsha), "\n")
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
		l.Read(People()[0], "billing", "eyJhbGciOiJub25lIn0.e30."+Token(2), "gst") // what has no form may be a digest that a collector made
	}
	for _, shown := range [][]string{{"token_id"}, {"access_token", "authorization", "token_type", "config", "issued_at"}} {
		text := strings.ReplaceAll(ofTheEngine(logOf(t, "", reads, shown...)), `"mastersindia_1`, `"vault-plugin-secrets-mastersindia_1`)
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
		"a header, JWT":  {"h": "JWT " + Token(1)},
		"a line":         {"h": Token(1) + "\n"},
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

// TestLeak_WrappedWithTheNameOfAnother: one who wraps the token under the token_id of another one blames nobody who was given that.
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

// TestLeak_TokenIDBesideNoText: who unwraps a token_id, which is no secret, beside an access_token that is no text was given no token.
func TestLeak_TokenIDBesideNoText(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, value := range []any{true, nil, []any{}, map[string]any{}} {
		answer := map[string]any{"access_token": value, "token_id": tokenID(Token(1)), "token_type": "JWT", "last_vault_rotation": "x"}
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[2], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: answer, Wrap: "w"})
			l.Do(unwrap(people[1], "w", answer))
		}))
		t.Log(value)
		wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha", "")
	}
}

// TestLeak_BeginningOfAToken: the file has a JWT without its end. Nobody was given that, and those who were given the whole one are not cleared.
func TestLeak_BeginningOfAToken(t *testing.T) {
	withoutVault(t)
	issued := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	whole := jwt(issued, issued.Add(24*time.Hour))
	path := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", whole, "gst")
		l.Do(unwrap(People()[1], "w", map[string]any{"note": whole}))
	}, append(tuned(), "access_token", "authorization", "token_type", "note")...)
	wantLeak(t, search(t, whole, path), exitOK, "userpass-asha userpass-bina", "")
	wantLeak(t, search(t, whole[:len(whole)-4], path), exitIncomplete, "", "")
}

// TestLeak_WrappedTogetherForTwoDevices: one device shows the token_id and the other one hides the token that were wrapped together. That makes
// no two tokens one either: who was given the other token is not blamed.
func TestLeak_WrappedTogetherForTwoDevices(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key", "other": "other key"})
	people := People()
	answer := map[string]any{"access_token": Token(2), "token_id": tokenID(Token(1)), "token_type": "JWT"}
	fill := func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[2], "billing", Token(2), "gst")
		l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: answer, Wrap: "w"})
		l.Do(unwrap(people[0], "w", answer))
	}
	path := file(t, logOf(t, "key", fill)+logOf(t, "other key", fill, tuned()...))
	wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha", "")
	wantLeak(t, search(t, Token(2), path), exitOK, "approle userpass-asha", "")
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
		return ofTheEngine(logOf(t, key, func(l *Log) {
			l.n = 50
			l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst")})
		}))
	}
	mine := logOf(t, "key", readByAsha)
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
	wantLeak(t, search(t, Token(1), log(0)), exitOK, "userpass-asha", "")
	wantLeak(t, search(t, Token(1), log(-time.Minute)), exitIncomplete, "userpass-asha", "")
}

// TestLeak_LogBeginsWithinARequest: a response without its request tells that a file before is missing, and who is in it is not known.
func TestLeak_LogBeginsWithinARequest(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	_, cut, _ := strings.Cut(logOf(t, "key", readByAsha), "\n")
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
				l.Read(People()[0], "billing", Token(2), "gst")
				l.Wait(10 * time.Second)
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
	lines := strings.SplitAfter(logOf(t, "key", readByAsha), "\n")
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

// TestLeak_UnwrappedAsRawBody: Vault gives what was unwrapped into another wrapping as the text of a response, with its own status.
// The log has one HMAC of all of it, and the wrapped read is in a file that is not here.
func TestLeak_UnwrappedAsRawBody(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[1], "billing", Token(1), "gst")
		l.Do(unwrap(people[3], "w2", map[string]any{
			"http_content_type": "application/json", "http_status_code": "200", "http_raw_body": `{"data":{"access_token":"` + Token(1) + `"}}`,
		}))
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-bina", "kubernetes-erp-invoices")
}

// TestLeak_UnwrappedLeaseWithoutData: the lease tells that a token was unwrapped, where an option of the device leaves out the data
// (exclude=/response/data) and the wrapped read is in a file that is not here.
func TestLeak_UnwrappedLeaseWithoutData(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	text := logOf(t, "key", func(l *Log) {
		l.Read(people[1], "billing", Token(1), "gst")
		unwrapped := unwrap(people[3], "w", nil)
		unwrapped.Lease = true
		l.Do(unwrapped)
	})
	text = strings.ReplaceAll(text, `"lease_id":"sys/wrapping/unwrap/`, `"lease_id":"mastersindia/token/billing/`)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-bina", "kubernetes-erp-invoices")
}

// TestLeak_ForwardedAfterADirectRead: what the active node answered half a minute before a standby forwarded is not the answer to that.
func TestLeak_ForwardedAfterADirectRead(t *testing.T) {
	withoutVault(t)
	active := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(2), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}, "token_id")
	standby := logOf(t, "", func(l *Log) {
		l.n = 5000
		l.Wait(30 * time.Second)
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "please forward to the active node"})
	})
	wantLeak(t, search(t, Token(1), file(t, active), file(t, standby)), exitIncomplete, "userpass-bina", "userpass-asha")
}

// TestLeak_ForwardedAfterAnotherConnection: the active node logs the port of the client, so that what came through another connection within
// a second is another read. Where a port is masked, or a device leaves it out, they cannot be told apart.
func TestLeak_ForwardedAfterAnotherConnection(t *testing.T) {
	withoutVault(t)
	read := Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing"}
	log := func(answeredPort int) (standby, active string) {
		standby = logOf(t, "", func(l *Log) {
			l.n = 5000
			l.Wait(600 * time.Millisecond)
			forwarded := read
			forwarded.Port, forwarded.Error = 50002, "please forward to the active node"
			l.Do(forwarded)
		})
		return standby, logOf(t, "", func(l *Log) {
			answered := read
			answered.Port, answered.Answer, answered.Lease = answeredPort, l.Answer(Token(2), "gst"), true
			l.Do(answered)
			l.Read(People()[1], "billing", Token(1), "gst")
		}, "token_id")
	}
	standby, other := log(50001)
	_, same := log(50002)
	wantLeak(t, search(t, Token(1), file(t, standby+other)), exitIncomplete, "userpass-bina", "userpass-asha")
	wantLeak(t, search(t, Token(1), file(t, standby+same)), exitOK, "userpass-bina", "")
	wantLeak(t, search(t, Token(1), file(t, standby+replaced(t, same, "request.remote_port", "50002"))), exitOK, "userpass-bina", "")
	for _, mask := range []any{nil, "***", "[REDACTED]", "50xxx", 0, -1} {
		t.Log(mask)
		masked := replaced(t, standby, "request.remote_port", mask)
		for _, active := range []string{other, same, replaced(t, same, "request.remote_port", mask)} {
			wantLeak(t, search(t, Token(1), file(t, masked+active)), exitIncomplete, "userpass-bina", "userpass-asha")
		}
	}
}

// TestLeak_ForwardedFromAnotherAddress: the active node logs the address of the client, so that a read from elsewhere is another one.
func TestLeak_ForwardedFromAnotherAddress(t *testing.T) {
	withoutVault(t)
	elsewhere := People()[0]
	elsewhere.Remote = "10.7.7.7"
	standby := logOf(t, "", func(l *Log) {
		l.n = 5000
		l.Do(Request{By: elsewhere, Operation: "read", Mount: mountPath, Path: "token/billing", Error: "please forward to the active node"})
	})
	active := logOf(t, "", func(l *Log) {
		l.Wait(time.Minute)
		l.Read(People()[0], "billing", Token(2), "gst")
		l.Read(People()[1], "billing", Token(1), "gst")
	}, "token_id")
	wantLeak(t, search(t, Token(1), file(t, active), file(t, standby)), exitIncomplete, "userpass-bina", "userpass-asha")
}

// TestLeak_NamespaceOfTheMountsName: a namespace may have the name of the mount in it. Vault logs paths without the namespace.
func TestLeak_NamespaceOfTheMountsName(t *testing.T) {
	withoutVault(t)
	root := logOf(t, "", func(l *Log) { l.Read(People()[1], "billing", Token(1), "gst") }, "token_id")
	inside := logOf(t, "", func(l *Log) { l.n = 50; l.Read(People()[0], "billing", Token(1), "gst") }, "token_id")
	inside = strings.ReplaceAll(inside, `"namespace":{"id":"root"}`, `"namespace":{"id":"x1","path":"mastersindia/"}`)
	inside = strings.ReplaceAll(inside, `"mount_point":"mastersindia/"`, `"mount_point":"mastersindia/mastersindia/"`)
	wantLeak(t, search(t, Token(1), file(t, root+inside)), exitOK, "userpass-asha userpass-bina", "")
}

// TestLeak_OtherMountOfARenamedPlugin: the type of a mount is the name that its plugin is registered under, and other mounts of that
// type are of the same engine.
func TestLeak_OtherMountOfARenamedPlugin(t *testing.T) {
	withoutVault(t)
	for _, plugin := range []string{"gst-tokens", "MastersIndia"} {
		for _, wrap := range []string{"", "w"} {
			text := logOf(t, "", func(l *Log) {
				l.Read(People()[0], "billing", Token(1), "gst")
				l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true, Wrap: wrap})
			}, tuned()...)
			for _, mount := range []string{"mastersindia", "tax"} {
				text = strings.ReplaceAll(text, `"mount_type":"`+mount+`"`, `"mount_type":"`+plugin+`"`)
				text = strings.ReplaceAll(text, `"mount_accessor":"`+mount+`_0a1b2c3d"`, `"mount_accessor":"`+plugin+`_`+digest(mount)[:8]+`"`)
			}
			got := search(t, Token(1), file(t, text))
			if got.code == exitOK && got.given != "userpass-asha userpass-bina" {
				t.Errorf("%s: userpass-bina was given the token on another mount, wrapped %q, and the report clears her: %+v", plugin, wrap, got)
			}
		}
	}
}

// TestLeak_TokenThatTheUpstreamRepeats: the log shows that the upstream gave the same token a second life, so that its last end in the
// log rules nobody out.
func TestLeak_TokenThatTheUpstreamRepeats(t *testing.T) {
	withoutVault(t)
	day := func(l *Log) {
		for range 2 {
			answer := l.Answer(Token(1), "gst")
			answer["expires_at"] = l.now.Add(time.Hour).Format(time.RFC3339)
			l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
			l.Wait(2 * time.Hour)
		}
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
	}
	wantLeak(t, search(t, Token(1), logFile(t, day, tuned()...)), exitIncomplete, "userpass-asha", "userpass-bina")
}

// TestLeak_IssuedBeforeTheLogAsItTells: a JWT tells when it was issued, also where the mount hides issued_at.
func TestLeak_IssuedBeforeTheLogAsItTells(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	issued := time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC)
	token := jwt(issued, issued.Add(24*time.Hour))
	path := file(t, logOf(t, "key", func(l *Log) { l.Read(People()[0], "billing", token, "gst") }))
	wantLeak(t, search(t, token, path), exitIncomplete, "userpass-asha", "")
}

// TestLeak_DeviceWithAFilter: Vault lists the options of its audit devices, and one with a filter does not log everything.
func TestLeak_DeviceWithAFilter(t *testing.T) {
	deviceWith(t, map[string]string{"filter": `operation == "update"`})
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "")
}

// TestLeak_UnwrapWithoutRequestData: who unwrapped is known, where an option of the device leaves out which wrapping it was
// (exclude=/request/data), and the policies, too.
func TestLeak_UnwrapWithoutRequestData(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := logOf(t, "key", func(l *Log) { l.Do(unwrap(People()[1], "w", l.Answer(Token(1), "gst"))) })
	text = regexp.MustCompile(`"data":\{"token":"[^"]*"\},`).ReplaceAllString(text, "")
	for _, left := range []string{text, regexp.MustCompile(`"policies":\[[^]]*\],`).ReplaceAllString(text, "")} {
		if got := search(t, Token(1), file(t, left)); got.given != "userpass-bina" {
			t.Errorf("want userpass-bina, who has an entity, got %q", got.given)
		}
	}
}

// TestLeak_ManyConfigs: JWT or Bearer show that a line is of a device of today, however many configs the log has.
func TestLeak_ManyConfigs(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	path := file(t, logOf(t, "key", func(l *Log) {
		for n := range 600 {
			l.Do(Request{By: People()[4], Operation: "create", Mount: mountPath, Path: fmt.Sprintf("config/29ABCDE1234F%03d", n), Data: map[string]any{"preset": "x"}})
		}
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Read(People()[1], "billing", Token(2), "gst")
	}))
	wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha", "")
}

// TestLeak_ConfigsOfTwoMounts: configs of one name, or of two, in two mounts have nothing to do with each other, and may give one token.
func TestLeak_ConfigsOfTwoMounts(t *testing.T) {
	withoutVault(t)
	people := People()
	text := logOf(t, "", func(l *Log) {
		l.Read(people[0], "billing", Token(8), "main")
		l.Wait(10 * time.Minute)
		l.Do(Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
		l.Wait(time.Hour)
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		l.Wait(time.Hour)
		l.Read(people[0], "billing", Token(9), "main")
	}, tuned()...)
	text = strings.ReplaceAll(text, `"mount_type":"tax"`, `"mount_type":"mastersindia"`)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-bina", "userpass-asha")
}

// TestLeak_UnwrappedStatus: status, lookup and rotate answer with the token_id and without the token. Who unwraps that was given none.
func TestLeak_UnwrappedStatus(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for path, answer := range map[string]map[string]any{
		"status/gst": {"state": "ready", "token_id": tokenID(Token(1)), "issued_at": "2026-03-01T08:00:00Z"},
		"lookup":     {"state": "current", "token_id": tokenID(Token(1)), "config": "gst"},
		"rotate/gst": {"token_id": tokenID(Token(1)), "expires_at": "2026-03-02T08:00:00Z"},
	} {
		log := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[1], Operation: "update", Mount: mountPath, Path: path, Wrap: "w"})
			l.Do(unwrap(people[1], "w", answer))
		}))
		t.Log(path)
		wantLeak(t, search(t, Token(1), log), exitOK, "userpass-asha", "")
	}
}

// TestLeak_ForwardedUnwrapping: another unwrapping of the same caller is not the answer to one that was forwarded.
func TestLeak_ForwardedUnwrapping(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[4], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		forwarded := unwrap(people[1], "w", nil)
		forwarded.Error = "cannot write to readonly storage"
		l.Do(forwarded)
		l.Wait(30 * time.Second)
		l.Do(unwrap(people[1], "another", map[string]any{"user": "x"}))
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-omar", "userpass-asha userpass-bina")
}

// TestLeak_LogBeginsWithinAnyRequest: a response without its request tells that a file before is missing, whatever was asked.
func TestLeak_LogBeginsWithinAnyRequest(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, first := range map[string]func(l *Log) Request{
		"unwrapping": func(l *Log) Request { return unwrap(people[0], "w", l.Answer(Token(1), "gst")) },
		"status": func(*Log) Request {
			return Request{By: people[0], Operation: "read", Mount: mountPath, Path: "status/gst", Answer: map[string]any{"state": "ready"}}
		},
	} {
		_, cut, _ := strings.Cut(logOf(t, "key", func(l *Log) { l.Do(first(l)); l.Read(people[0], "billing", Token(1), "gst") }), "\n")
		if got := search(t, Token(1), file(t, cut)); got.code != exitIncomplete {
			t.Errorf("%s: the log begins within a request, and the exit code is %d", name, got.code)
		}
	}
}

// TestLeak_AuditDeviceWasDisabled: the log itself tells that there was none for an hour, in which anybody may have been given the token.
func TestLeak_AuditDeviceWasDisabled(t *testing.T) {
	withoutVault(t)
	omar := People()[4]
	path := logFile(t, func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: omar, Operation: "delete", Mount: "sys/", Path: "audit/file", NoResponse: true})
		l.Wait(time.Hour)
		l.Do(Request{By: omar, Operation: "update", Mount: "sys/", Path: "audit/file", NoRequest: true, Answer: map[string]any{}})
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...)
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "")
}

// TestLeak_RoleWrittenWithoutResponse: a write of a role whose response is missing may have pointed it to the config of the token.
func TestLeak_RoleWrittenWithoutResponse(t *testing.T) {
	withoutVault(t)
	people := People()
	text := logOf(t, "", func(l *Log) {
		l.Read(people[4], "other", Token(9), "another")
		l.Wait(time.Hour)
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[4], Operation: "update", Mount: mountPath, Path: "role/other", Data: map[string]any{"config": "gst"}, NoResponse: true})
		l.Wait(time.Minute)
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/other"})
		l.Wait(10 * time.Minute)
		l.Read(people[4], "other", Token(9), "another")
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-asha", "approle")
}

// TestLeak_RoleOfAnotherConfig: a read without a response is possible, whatever its role gave before and after.
func TestLeak_RoleOfAnotherConfig(t *testing.T) {
	withoutVault(t)
	people := People()
	text := logOf(t, "", func(l *Log) {
		l.Read(people[4], "other", Token(9), "another")
		l.Wait(time.Hour)
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/other", NoResponse: true})
		l.Wait(time.Hour)
		l.Read(people[4], "other", Token(9), "another")
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-asha", "approle")
}

// TestLeak_ReporterOfTheRejectedToken: rejected_token_id names a token that the caller had, whatever of its read is in the log.
func TestLeak_ReporterOfTheRejectedToken(t *testing.T) {
	people := People()
	for _, shown := range [][]string{append(tuned(), "rejected_token_id"), nil} {
		vaultWith(t, map[string]string{"file": "key"})
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			for _, by := range []Caller{people[1], people[0]} {
				l.Do(Request{By: by, Operation: "update", Mount: mountPath, Path: "token/billing", Lease: true,
					Data: map[string]any{"rejected_token_id": tokenID(Token(1))}, Answer: l.Answer(Token(2), "gst")})
			}
			l.Do(Request{By: people[2], Operation: "update", Mount: mountPath, Path: "token/billing", Lease: true,
				Data: map[string]any{"rejected_token_id": tokenID(Token(3))}, Answer: l.Answer(Token(2), "gst")})
		}, shown...))
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_WrapperOfTheToken: who wraps the token had it, whatever of their read is in the log.
func TestLeak_WrapperOfTheToken(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	wrap := func(by Caller, text string) Request {
		return Request{By: by, Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": text}, Wrap: "w " + text}
	}
	for _, shown := range []string{"", "note"} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(wrap(people[1], Token(1)))
			l.Do(wrap(people[2], Token(2)))
		}, shown))
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_ForwardedAndReadAMinuteLater: who reads every minute begins anew each time. The read that a new active node answers is not the
// one that was forwarded a minute before to the old one, whose log is not here.
func TestLeak_ForwardedAndReadAMinuteLater(t *testing.T) {
	withoutVault(t)
	standby := logOf(t, "", func(l *Log) {
		l.n = 5000
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "please forward to the active node"})
	})
	active := logOf(t, "", func(l *Log) {
		l.Read(People()[1], "billing", Token(1), "gst")
		l.Wait(time.Minute)
		l.Read(People()[0], "billing", Token(2), "gst")
	}, "token_id")
	wantLeak(t, search(t, Token(1), file(t, active), file(t, standby)), exitIncomplete, "userpass-bina", "userpass-asha")
}

// TestLeak_GivenBeforeItsIssue: the log shows that the token was given an hour before the issue that one mount tells, so that this rules
// nobody out: the upstream gave another mount the token earlier.
func TestLeak_GivenBeforeItsIssue(t *testing.T) {
	withoutVault(t)
	people := People()
	text := logOf(t, "", func(l *Log) {
		answer := l.Answer(Token(1), "gst")
		delete(answer, "issued_at")
		l.Do(Request{By: people[0], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: answer, Lease: true})
		l.Do(Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", NoResponse: true})
		l.Wait(time.Hour)
		l.Read(people[0], "billing", Token(1), "gst")
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, ofTheEngine(text))), exitIncomplete, "userpass-asha userpass-asha", "userpass-bina") //nolint:dupword // two reads
}

// TestLeak_GivenAfterItsExpiry: the log shows that the token was given after the expiry that one mount tells, so that this rules nobody out.
func TestLeak_GivenAfterItsExpiry(t *testing.T) {
	withoutVault(t)
	people := People()
	text := logOf(t, "", func(l *Log) {
		answer := l.Answer(Token(1), "gst")
		answer["expires_at"] = l.now.Add(time.Hour).Format(time.RFC3339)
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
		l.Wait(2 * time.Hour)
		again := l.Answer(Token(1), "gst")
		delete(again, "expires_at")
		l.Do(Request{By: people[0], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: again, Lease: true})
		l.Do(Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", NoResponse: true})
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, ofTheEngine(text))), exitIncomplete, "userpass-asha userpass-asha", "userpass-bina") //nolint:dupword // two reads
}

// TestLeak_ForwardedUnwrappingWithoutItsRead: an unwrapping that a standby forwarded is open, also where the wrapped read is not in the log.
func TestLeak_ForwardedUnwrappingWithoutItsRead(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		forwarded := unwrap(people[1], "w", nil)
		forwarded.Error = "cannot write to readonly storage"
		l.Do(forwarded)
	}))
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
}

// TestLeak_RewrappedWithoutItsRead: Vault logs which path a wrapping is of (creation_path), so that one of the engine that was wrapped anew
// and not unwrapped in the log is open, also where the wrapped read is not in the log.
func TestLeak_RewrappedWithoutItsRead(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	text := logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[1], Operation: "update", Mount: "sys/", Path: "wrapping/rewrap", Data: map[string]any{"token": "w"}, Wrap: "w2"})
	})
	text = strings.ReplaceAll(text, `"creation_path":"sys/wrapping/rewrap"`, `"creation_path":"mastersindia/token/billing"`)
	if got := search(t, Token(1), file(t, text)); got.code != exitIncomplete {
		t.Errorf("who unwrapped it is not known, and the exit code is %d", got.code)
	}
}

// TestLeak_WrappedNameWithoutToken: a token_id is no secret, so that anybody may wrap one. Who unwraps it was given no token.
func TestLeak_WrappedNameWithoutToken(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	answer := map[string]any{"token_id": tokenID(Token(1)), "token_type": "JWT"}
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[2], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: answer, Wrap: "w"})
		l.Do(unwrap(people[1], "w", answer))
	}))
	if got := search(t, Token(1), path); got.given != "userpass-asha" {
		t.Errorf("userpass-bina was given a token_id and no token, and the report names %q", got.given)
	}
}

// TestLeak_LogBeginsWithinARequestOfAnotherMount: the search covers every mount of the engine, and so does what says that a file is missing.
func TestLeak_LogBeginsWithinARequestOfAnotherMount(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	_, cut, _ := strings.Cut(logOf(t, "key", func(l *Log) {
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
		l.Read(People()[0], "billing", Token(1), "gst")
	}), "\n")
	wantLeak(t, search(t, Token(1), file(t, ofTheEngine(cut))), exitIncomplete, "userpass-asha userpass-bina", "")
}

// TestLeak_CallersLeftOutByOneDevice: a device that leaves out who it was (exclude) says nothing about who is the same. Vault tokens that
// "vault token create" makes have no entity and one display name.
func TestLeak_CallersLeftOutByOneDevice(t *testing.T) {
	withoutVault(t)
	reads := func(l *Log) {
		for _, name := range []string{"a", "b"} {
			l.Read(Caller{Name: "token-" + name, Remote: "10.1.0.1"}, "billing", Token(1), "gst")
		}
	}
	display := regexp.MustCompile(`"display_name":"token-[ab]"`)
	known := display.ReplaceAllString(logOf(t, "key", reads, tuned()...), `"display_name":"token"`)
	leftOut := regexp.MustCompile(`"auth":\{.*?\}\s*,"request"|"client_token(_accessor)?":"[^"]*",`).ReplaceAllStringFunc(logOf(t, "other key", reads, tuned()...),
		func(part string) string {
			if strings.HasPrefix(part, `"auth"`) {
				return `"request"`
			}
			return ""
		})
	if want, got := search(t, Token(1), file(t, known)), search(t, Token(1), file(t, known+leftOut)); got != want || got.given != "token token" { //nolint:dupword // two callers
		t.Errorf("with the log of a second device the receivers are %q, and %q without", got.given, want.given)
	}
}

// TestLeak_OtherMountUnderAnotherName: the search covers every mount of the engine, or says that it does not, also where one mount has the
// usual name of the plugin and another one does not.
func TestLeak_OtherMountUnderAnotherName(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	text := logOf(t, "key", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	})
	text = strings.ReplaceAll(text, `"mount_type":"tax"`, `"mount_type":"gst-tokens"`)
	if got := search(t, Token(1), file(t, text)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
		t.Errorf("userpass-bina was given the token on tax/, and the report clears her: given to %q, exit code %d", got.given, got.code)
	}
}

// TestLeak_LifeOfAnotherMount: when this mount got the token, and how long its config takes it for valid, says nothing about another mount:
// an upstream that repeats tokens gave it the same one earlier, and its config may have another default_token_ttl.
func TestLeak_LifeOfAnotherMount(t *testing.T) {
	withoutVault(t)
	people := People()
	unanswered := Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", NoResponse: true}
	for name, fill := range map[string]func(l *Log){
		"before": func(l *Log) { l.Do(unanswered); l.Wait(time.Hour); l.Read(people[0], "billing", Token(1), "gst") },
		"after":  func(l *Log) { l.Read(people[0], "billing", Token(1), "gst"); l.Wait(25 * time.Hour); l.Do(unanswered) },
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, ofTheEngine(logOf(t, "", fill, tuned()...)))), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_LifeAsTheTokenTells: a JWT tells its own life (iat, exp), and a mount to which the upstream gave it again, or whose config shortens
// it, shows a shorter one.
func TestLeak_LifeAsTheTokenTells(t *testing.T) {
	withoutVault(t)
	people := People()
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d}`, time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Unix(), time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC).Unix())
	token := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + strings.Repeat("invented", 5)
	unanswered := Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true}
	for name, fill := range map[string]func(l *Log){
		"before": func(l *Log) { l.Do(unanswered); l.Wait(time.Hour); l.Read(people[0], "billing", token, "gst") },
		"after":  func(l *Log) { l.Read(people[0], "billing", token, "gst"); l.Wait(25 * time.Hour); l.Do(unanswered) },
	} {
		t.Log(name)
		wantLeak(t, search(t, token, logFile(t, fill, tuned()...)), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_FilterInTheLog: the log itself tells that a device with a filter was enabled: Vault writes the names of options in clear.
func TestLeak_FilterInTheLog(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: "sys/", Path: "audit/file", Data: map[string]any{
			"type": "file", "options": map[string]any{"file_path": "/var/log/audit.log", "filter": `operation == "update"`},
		}})
		l.Do(Request{By: People()[0], Operation: "update", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	}, tuned()...)
	wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "")
}

// TestLeak_ClaimsThatAreNoLimits: an issuer may count in milliseconds, and the engine hands a token out as long as the response to the login
// said, whatever its claims say: what is no limit rules nobody out.
func TestLeak_ClaimsThatAreNoLimits(t *testing.T) {
	withoutVault(t)
	people := People()
	issued := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for name, claims := range map[string]string{
		"milliseconds":    fmt.Sprintf(`{"iat":%d,"exp":%d}`, issued.UnixMilli(), issued.Add(24*time.Hour).UnixMilli()),
		"an early end":    fmt.Sprintf(`{"iat":%d,"exp":%d}`, issued.Unix(), issued.Add(time.Hour).Unix()),
		"a late issue":    fmt.Sprintf(`{"iat":%d}`, issued.Add(9*time.Hour).Unix()),
		"a negative time": `{"iat":-1,"exp":1}`,
	} {
		token := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + strings.Repeat("invented", 5)
		path := logFile(t, func(l *Log) {
			l.Read(people[0], "billing", token, "gst")
			l.Wait(5 * time.Hour)
			l.Do(Request{By: people[1], Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
			answer := l.Answer(token, "gst")
			answer["issued_at"], answer["expires_at"] = issued.Format(time.RFC3339), issued.Add(24*time.Hour).Format(time.RFC3339)
			l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
		}, tuned()...)
		if got := search(t, token, path); got.code != exitIncomplete || got.possible != "userpass-bina" {
			t.Errorf("%s: userpass-bina read between two who were given the token, and is possible: got %q, exit code %d", name, got.possible, got.code)
		}
	}
}

// TestLeak_IssueInAnotherZone: an issuer may take its local time for UTC, so that a token says it was issued hours after it was handed out.
func TestLeak_IssueInAnotherZone(t *testing.T) {
	withoutVault(t)
	india := time.Date(2026, 3, 1, 13, 30, 0, 0, time.UTC)
	token := jwt(india, india.Add(24*time.Hour))
	path := logFile(t, func(l *Log) {
		answer := l.Answer(token, "gst")
		l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Wait(5 * time.Hour)
		l.Do(Request{By: People()[0], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: answer, Lease: true})
	}, tuned()...)
	wantLeak(t, search(t, token, path), exitIncomplete, "userpass-asha", "userpass-bina")
}

// TestLeak_WrappedAnewUnseen: what was wrapped anew may be the leaked token, if neither its wrapped read, nor its new wrapping, nor who opened
// that is in the log. Another engine's is not, and a refusal gives nothing.
func TestLeak_WrappedAnewUnseen(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, want := range map[string]string{"unwrap": "userpass-bina", "rewrap": "", "rewrap unanswered": "userpass-bina", "unwrap refused": ""} {
		path, outcome, _ := strings.Cut(name, " ")
		again := Request{By: people[1], Operation: "update", Mount: "sys/", Path: "wrapping/" + path, Data: map[string]any{"token": "w"}, Wrap: "w2"}
		again.NoResponse = outcome == "unanswered"
		if outcome == "refused" {
			again.Error = "wrapping token is not valid or does not exist"
		}
		text := logOf(t, "key", func(l *Log) { l.Read(people[0], "billing", Token(1), "gst"); l.Do(again) })
		text = strings.ReplaceAll(text, `"creation_path":"sys/wrapping/rewrap"`, `"creation_path":"kv/data/app"`)
		if got := search(t, Token(1), file(t, text)); got.given != "userpass-asha" || got.possible != want || (got.code == exitOK) != (want == "") {
			t.Errorf("%s: want possibly %q, got %+v", name, want, got)
		}
	}
}

// TestLeak_WrappedByACallerAndNotShown: who unwraps what a caller wrapped the leaked token into may have been given it, and so may somebody whose
// unwrapping is not in the log.
func TestLeak_WrappedByACallerAndNotShown(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	unanswered := unwrap(people[1], "w", nil)
	unanswered.NoResponse = true
	for name, test := range map[string]struct {
		unwraps  []Request
		possible string
	}{
		"not unwrapped":         {nil, "userpass-asha"},
		"unanswered":            {[]Request{unanswered}, "userpass-bina"},
		"an answer not shown":   {[]Request{unwrap(people[1], "w", nil)}, "userpass-bina"},
		"one text":              {[]Request{unwrap(people[1], "w", map[string]any{"http_raw_body": "x", "http_status_code": "200"})}, "userpass-bina"},
		"what was another's":    {[]Request{unwrap(people[1], "another", map[string]any{"note": "x"})}, "userpass-asha"},
		"a second one, refused": {[]Request{unanswered, unwrap(people[2], "w", map[string]any{"error": "wrapping token is not valid"})}, "userpass-bina"},
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
			for _, r := range test.unwraps {
				l.Do(r)
			}
		}))
		t.Log(name)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", test.possible)
	}
}

// TestLeak_NamesPutTogether: anybody may write names of two tokens into their cubbyhole, or into KV, and read them in the shape of the engine's
// answer. That makes no two tokens one: it blames nobody who was given the other token, and clears nobody who was given this one.
func TestLeak_NamesPutTogether(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	together := func(l *Log, access, id int) {
		l.Do(Request{By: people[1], Operation: "read", Mount: "cubbyhole/", Path: "x", Answer: map[string]any{
			"access_token": Token(access), "token_id": tokenID(Token(id)), "last_vault_rotation": "x",
		}})
	}
	blamed := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[2], "billing", Token(2), "gst")
		together(l, 2, 1)
	}))
	wantLeak(t, search(t, Token(1), blamed), exitOK, "userpass-asha", "")
	cleared := logOf(t, "former key", func(l *Log) {
		l.Read(people[1], "billing", Token(1), "gst")
		l.Read(people[0], "billing", Token(2), "gst")
		together(l, 1, 2)
	})
	known := logOf(t, "former key", func(l *Log) { l.n = 50; l.Read(people[0], "billing", Token(2), "gst") }, tuned()...)
	given := logOf(t, "key", func(l *Log) { l.n = 90; l.Read(people[2], "billing", Token(1), "gst") })
	wantLeak(t, search(t, Token(1), file(t, cleared+known+given)), exitIncomplete, "approle", "userpass-bina")
}

// TestLeak_TokenAsAName: Vault hashes no names of parameters, so that a token in place of one is shown, and who unwraps that is given it.
func TestLeak_TokenAsAName(t *testing.T) {
	withoutVault(t)
	people, token := People(), jwt(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	for _, data := range []map[string]any{{token: "x"}, {"data": map[string]any{token: "x"}}} {
		path := logFile(t, func(l *Log) {
			l.Read(people[0], "billing", token, "gst")
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: data, Wrap: "w"})
			l.Do(unwrap(people[1], "w", data))
			l.Do(Request{By: people[0], Operation: "update", Mount: mountPath, Path: "lookup", Data: data, Error: "unknown parameter"})
		}, tuned()...)
		wantLeak(t, search(t, token, path), exitOK, "userpass-asha userpass-bina", "")
		if got := mustJSON(t, "", path).all("alarms", "message"); !strings.Contains(got, "in clear") || strings.Contains(got, token) {
			t.Errorf("the log shows a token, and the alarms are %q", got)
		}
	}
}

// TestLeak_CubbyholeOfAWrapping: the path of a wrapping tells what is read there, where the device leaves out policies, caller or operation.
func TestLeak_CubbyholeOfAWrapping(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	for _, left := range []string{`"policies":\[[^]]*\],`, `"auth":\{.*?\},("error"|"request")`, `"operation":"read",`} {
		wrapping := Caller{Name: "w", Remote: "10.9.9.9", Policies: []string{"response-wrapping"}}
		read := logOf(t, "key", readByAsha)
		text := logOf(t, "key", func(l *Log) {
			l.n = 50
			l.Do(Request{By: wrapping, Operation: "read", Mount: "cubbyhole/", Path: "response", Answer: map[string]any{"response": "{}"}})
		})
		text = regexp.MustCompile(left).ReplaceAllString(text, "$1")
		if got := search(t, Token(1), file(t, read+text)); got.code != exitIncomplete || got.given != "userpass-asha" || got.possible == "" {
			t.Errorf("without %s somebody may have been given the token, and the report says %+v", left, got)
		}
	}
}

// TestLeak_TokenLeftOut: a device may leave out what is secret in an answer (exclude=/response/data/access_token). The rest of it tells that a
// token was given, and of whom it is open which one, also where it leaves out the type of the mount.
func TestLeak_TokenLeftOut(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, left := range []string{"access_token authorization", "access_token authorization token_type", "access_token authorization token_id"} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			answer := l.Answer(Token(1), "gst")
			for name := range strings.FieldsSeq(left) {
				delete(answer, name)
			}
			l.Do(unwrap(people[1], "w", answer))
			l.Do(unwrap(people[2], "w2", map[string]any{"username": "x", "password": "y", "last_vault_rotation": "z"}))
		}))
		t.Log(left)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
	other := logOf(t, "key", func(l *Log) {
		l.n = 50
		l.Do(Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: map[string]any{"config": "gst"}, Lease: true})
	})
	other = regexp.MustCompile(`"mount_type":"tax",?`).ReplaceAllString(other, "")
	other = ofTheEngine(strings.Replace(other, `"mount_accessor":"tax_0a1b2c3d",`, "", 1))
	got := search(t, Token(1), file(t, logOf(t, "key", func(l *Log) { l.Read(people[0], "billing", Token(1), "gst") })+other))
	wantLeak(t, got, exitIncomplete, "userpass-asha", "userpass-bina")
}

// TestLeak_FieldsLeftOut: where a device leaves out what tells whose request it was and on which mount (its option exclude), the report clears
// nobody, whether it can still list the reader or not. The log of a second device that has it all is enough.
func TestLeak_FieldsLeftOut(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key", "other": "other key"})
	people := People()
	first := logOf(t, "key", func(l *Log) { l.Read(people[0], "billing", Token(1), "gst") })
	fields := map[string]string{
		"auth.policies": `"policies":\[[^]]*\],`, "request.id": `"id":"0[^"]*",`, "request.mount_point": `"mount_point":"[^"]*",`,
		"request.mount_type": `"mount_type":"[^"]*",?`, "request.namespace": `"namespace":\{"id":"root"\},`,
		"request.operation": `"operation":"[^"]*",`, "request.path": `"path":"[^"]*",`,
	}
	for _, mount := range []string{mountPath, "tax/"} {
		of := func(key string) string {
			return ofTheEngine(logOf(t, key, func(l *Log) {
				l.n = 50
				l.Do(Request{By: people[1], Operation: "read", Mount: mount, Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
			}))
		}
		for name, pattern := range fields {
			left := regexp.MustCompile(pattern).ReplaceAllString(of("key"), "")
			r := runWith(t, Token(1), "-token-file=-", file(t, first+left))
			if r.code != exitIncomplete || name != "request.path" && !strings.Contains(r.stdout, "Lines lack "+name) {
				t.Errorf("without %s in %s: exit code %d, and the report\n%s", name, mount, r.code, r.stdout)
			}
			if name != "request.path" && name != "request.id" { // lines without one are another request
				t.Log(name, mount)
				wantLeak(t, search(t, Token(1), file(t, first+left), file(t, of("other key"))), exitOK, "userpass-asha userpass-bina", "")
			}
		}
	}
}

// TestLeak_CompleteLinesWithoutFields: Vault itself logs a request for help without an id, and one to a path that has no mount without a
// mount, until its response tells the error. No device left out anything there.
func TestLeak_CompleteLinesWithoutFields(t *testing.T) {
	withoutVault(t)
	const authOf = `"auth":{"accessor":"hmac-sha256:1","client_token":"hmac-sha256:2","display_name":"token","policies":["mastersindia-operator"],"policy_results":{"allowed":true}}`
	log := logOf(t, "", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		for _, half := range []string{
			`"operation":"help","path":"mastersindia"},"type":"request"`,
			`"operation":"help","path":"mastersindia/","mount_point":"mastersindia/","mount_type":"mastersindia"},"type":"response","response":{"data":{}}`,
			`"id":"no-mount-0001","operation":"read","path":"mastersindia-old/token/billing"},"type":"request"`,
			`"id":"no-mount-0001","operation":"read","path":"mastersindia-old/token/billing"},"type":"response","error":"unsupported path"`,
			`"id":"seal-0001","operation":"update","path":"sys/seal"},"type":"request"`,
		} {
			l.Raw(`{` + authOf + `,"time":"2026-03-01T09:00:00Z","request":{"namespace":{"id":"root"},` + half + `}`)
		}
		l.Raw(`{"auth":{"token_type":"default"},"time":"2026-03-01T09:00:00Z","type":"request","request":{"id":"acme-0001","operation":"update",` +
			`"path":"pki/acme/revoke-cert","mount_point":"pki/","mount_type":"pki","namespace":{"id":"root"}}}`) // needs no Vault token
		l.Raw(`{"auth":{"token_type":"default"},"time":"2026-03-01T09:00:00Z","type":"response","request":{"id":"pki-ca-0001","operation":"read",` +
			`"path":"pki/ca/pem","mount_point":"pki/","mount_type":"pki","namespace":{"id":"root"}},"response":{"wrap_info":{"token":"` + l.HMAC("w") + `"}}}`) // nor does that
	}, tuned()...)
	if got := search(t, Token(1), file(t, log)); got.code != exitOK || got.given != "userpass-asha" || got.possible != "" {
		t.Errorf("found %+v", got)
	}
}

func TestLeak_IsTraced(t *testing.T) {
	shown, hidden := logFile(t, (*Log).Day, tuned()...), logFile(t, (*Log).Day)
	withoutID := file(t, regexp.MustCompile(`,"token_id":"hmac-[^"]*"`).ReplaceAllString(logOf(t, "", (*Log).Day), ""))
	for _, test := range []struct {
		vault    bool
		log      string
		given    string
		possible string
	}{
		{false, shown, dayReceivers, "kubernetes-erp-invoices userpass-asha"},
		{true, hidden, dayReceivers, "kubernetes-erp-invoices userpass-asha"},
		{true, withoutID, dayReceivers, "kubernetes-erp-invoices userpass-asha"},
		{true, shown, dayReceivers, "kubernetes-erp-invoices userpass-asha"},
		{false, hidden, "", dayPossible},
	} {
		withoutVault(t)
		if test.vault {
			vaultWith(t, map[string]string{"file": "audit-device-key", "syslog": "another key"})
		}
		wantLeak(t, search(t, Token(2), test.log), exitIncomplete, test.given, test.possible)
	}
	for _, format := range formats() {
		if text := must(t, Token(2), "-token-file=-", "-format="+format, shown); strings.Contains(text, Token(2)) {
			t.Errorf("%s shows the token", format)
		}
	}
}

func TestLeak_AVaultThatRefuses(t *testing.T) {
	log := logFile(t, (*Log).Day, tuned()...)
	vaultWith(t, nil)
	for _, args := range [][]string{{"-token-file=-", log}, {"-token-file=-", "-audit-device=other", log}} {
		r := runWith(t, Token(2), args...)
		if r.code != exitFailed || !strings.Contains(r.stderr, "unset VAULT_ADDR") || strings.Contains(r.stderr, Token(2)) || r.stdout != "" {
			t.Errorf("%q: want exit code 1 and what to do, got %+v", args, r)
		}
	}
}

// TestLeak_IssueThatRulesOut: days before a JWT was issued nobody was given it. What its role gave before and after a read, and what the log tells
// of its life, rules nothing out.
func TestLeak_IssueThatRulesOut(t *testing.T) {
	withoutVault(t)
	people := People()
	issued := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	token := jwt(issued, issued.Add(24*time.Hour))
	path := logFile(t, func(l *Log) {
		unanswered := func(who int, role string) {
			l.Do(Request{By: people[who], Operation: "read", Mount: mountPath, Path: "token/" + role, NoResponse: true})
		}
		l.Read(people[4], "other", Token(9), "another")
		l.Do(Request{By: Caller{Name: "userpass-eve", Entity: "e"}, Operation: "read", Mount: mountPath, Path: "token/billing", NoResponse: true})
		l.Wait(52 * time.Hour)
		unanswered(1, "billing")
		l.Wait(2 * time.Second)
		l.Read(people[0], "billing", token, "gst")
		l.Wait(10 * time.Minute)
		unanswered(2, "kiosk")
		unanswered(4, "other")
		l.Wait(10 * time.Minute)
		l.Read(people[4], "other", Token(9), "another")
		l.Wait(48 * time.Hour)
		unanswered(3, "billing")
	}, tuned()...)
	wantLeak(t, search(t, token, path), exitIncomplete, "userpass-asha", "approle kubernetes-erp-invoices userpass-bina userpass-omar")
}

// TestLeak_RejectedTokenIDInAnyForm: the engine folds a rejected_token_id (capitals, spaces, quotes), and so must the search.
func TestLeak_RejectedTokenIDInAnyForm(t *testing.T) {
	withoutVault(t)
	people := People()
	for _, form := range []func(string) string{
		func(id string) string { return id }, strings.ToUpper, func(id string) string { return id + "\n" }, func(id string) string { return `"` + id + `"` },
	} {
		id := form(tokenID(Token(1)))
		path := logFile(t, func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[1], Operation: "update", Mount: mountPath, Path: "token/billing", Lease: true,
				Data: map[string]any{"rejected_token_id": id}, Answer: l.Answer(Token(2), "gst")})
		}, append(tuned(), "rejected_token_id")...)
		t.Logf("%q", id)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_DeviceThatExcludesRequestData: a device leaves out what callers sent (exclude), so that who named or wrapped the token is not in the log.
// Vault lists that option beside filter.
func TestLeak_DeviceThatExcludesRequestData(t *testing.T) {
	deviceWith(t, map[string]string{"exclude": `[{"fields":["/request/data"]}]`})
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(2), "gst"), Lease: true}) // rejected_token_id was left out
	}))
	if got := search(t, Token(1), path); got.code == exitOK {
		t.Errorf("Vault says that the device leaves out what callers sent, and the report is complete: %+v", got)
	}
}

// TestLeak_ExcludeInTheLog: the log itself tells that a device that leaves out fields was enabled.
func TestLeak_ExcludeInTheLog(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Do(Request{By: People()[4], Operation: "update", Mount: "sys/", Path: "audit/file", Data: map[string]any{
			"type": "file", "options": map[string]any{"file_path": "/var/log/audit.log", "exclude": `[{"fields":["/request/data"]}]`},
		}})
		l.Read(People()[0], "billing", Token(1), "gst")
		l.Do(Request{By: People()[1], Operation: "update", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(2), "gst"), Lease: true})
	}, tuned()...)
	if got := search(t, Token(1), path); got.code == exitOK {
		t.Errorf("the log tells of a device that leaves out fields, and the report is complete: %+v", got)
	}
}

// TestLeak_LogBeginsWithOtherMounts: the file begins an hour before the token was issued (a rotation in the background, which makes no line), with
// lines of other mounts. Nothing is missing.
func TestLeak_LogBeginsWithOtherMounts(t *testing.T) {
	withoutVault(t)
	path := logFile(t, func(l *Log) {
		l.Other(People()[2])
		l.Wait(time.Hour)
		l.Answer(Token(1), "gst") // is issued now
		l.Wait(10 * time.Minute)
		l.Other(People()[2])
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...)
	r := runWith(t, Token(1), "-token-file=-", path)
	if r.code != exitOK || strings.Contains(r.stdout, "the log begins at") {
		t.Errorf("the log begins an hour before the issue, and the exit code is %d:\n%s", r.code, r.stdout)
	}
}

// TestLeak_NameInTheShapeOfAResponse: a token_id is no secret, so that anybody may put one into an entry in the shape of an answer. Who reads or unwraps that
// was given no token.
func TestLeak_NameInTheShapeOfAResponse(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	id := tokenID(Token(1))
	for name, trick := range map[string]func(l *Log){
		"read from KV": func(l *Log) {
			l.Do(Request{By: people[1], Operation: "read", Mount: "kv/", Path: "token/x", Answer: map[string]any{"token_id": id, "last_vault_rotation": "x"}})
		},
		"read from KV with a header": func(l *Log) {
			l.Do(Request{By: people[1], Operation: "read", Mount: "kv/", Path: "token/x", Answer: map[string]any{"token_id": id, "authorization": "x", "last_vault_rotation": "x"}})
		},
		"unwrapped with a header": func(l *Log) {
			data := map[string]any{"token_id": id, "authorization": "no token"}
			l.Do(Request{By: people[2], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: data, Wrap: "w"})
			l.Do(unwrap(people[1], "w", data))
		},
	} {
		got := search(t, Token(1), file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			trick(l)
		})))
		if got.given != "userpass-asha" {
			t.Errorf("%s: userpass-bina was given a token_id and no token, and the report names %q, exit code %d", name, got.given, got.code)
		}
	}
}

// TestLeak_WrapWithoutItsResponse: who sends the leaked token to sys/wrapping/wrap had it, whether Vault answers in this log, refuses or not.
func TestLeak_WrapWithoutItsResponse(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, change := range map[string]func(r *Request){
		"no response": func(r *Request) { r.NoResponse = true },
		"refused":     func(r *Request) { r.Wrap, r.Error = "", "endpoint requires response wrapping to be used" },
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			r := Request{By: people[1], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"}
			change(&r)
			l.Do(r)
		}))
		t.Log(name)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_UnwrappedTokenOfAnotherEngine: another engine, too, answers with access_token. Who unwraps what was read there was given none of this engine.
func TestLeak_UnwrappedTokenOfAnotherEngine(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	path := file(t, logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[1], Operation: "read", Mount: "oauth/", Path: "creds/x", Wrap: "w"})
		l.Do(unwrap(people[1], "w", map[string]any{"access_token": "invented-token-of-another-engine", "expire_time": "x", "type": "Bearer"}))
	}, tuned()...))
	wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha", "")
}

// TestLeak_HalfWithoutAField: one half of a request lacks a field (exclude with a condition), and the other half has it. The report is the same whether
// the halves stand side by side or not.
func TestLeak_HalfWithoutAField(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	lines := strings.SplitAfter(ofTheEngine(logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[1], Operation: "read", Mount: "tax/", Path: "token/billing", Answer: l.Answer(Token(1), "gst"), Lease: true})
	}, tuned()...)), "\n")
	for _, field := range []string{`"mount_point":"tax/",`, `"operation":"read",`} {
		response := strings.ReplaceAll(lines[3], field, "")
		apart := search(t, Token(1), file(t, lines[0]+lines[1]+lines[2]), file(t, response))
		together := search(t, Token(1), file(t, lines[0]+lines[1]+lines[2]+response))
		if apart != together || together.given != "userpass-asha userpass-bina" {
			t.Errorf("without %s: apart %+v, side by side %+v", field, apart, together)
		}
	}
}

// TestLeak_PathMasked: a collector masks the value of a path that has what looks like personal data (a role named like a GSTIN), or of a mount. A line of the
// mount whose path is not on it is not complete.
func TestLeak_PathMasked(t *testing.T) {
	withoutVault(t)
	people := People()
	lines := strings.SplitAfter(logOf(t, "", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[1], "29ABCDE1234F2Z5", Token(1), "gst")
	}, tuned()...), "\n")
	for _, mask := range []string{"***", "[REDACTED]"} {
		for _, name := range []string{`"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"mount_point":"mastersindia/"`} {
			key, _, _ := strings.Cut(name, ":")
			left := lines[0] + lines[1] + strings.ReplaceAll(lines[2]+lines[3], name, key+`:"`+mask+`"`)
			if got := search(t, Token(1), file(t, left)); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
				t.Errorf("%s is %s: userpass-bina was given the token, and the report clears her: %+v", key, mask, got)
			}
		}
	}
}

// TestLeak_HMACOfTheLog: the token_hmac of the report is one that the log has, so that its lines can be found by it.
func TestLeak_HMACOfTheLog(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key", "a": "a", "b": "b", "c": "c", "d": "d"})
	text := logOf(t, "key", readByAsha)
	if got := mustJSON(t, Token(1), "-token-file=-", file(t, text)).all("receivers", "token_hmac"); !strings.Contains(text, got) {
		t.Errorf("the HMAC of the report is in no line: %s", got)
	}
}

// TestLeak_PathAndMountMasked: a collector masks both, or what is behind the mount.
func TestLeak_PathAndMountMasked(t *testing.T) {
	people := People()
	for _, vault := range []bool{false, true} {
		names := tuned()
		if withoutVault(t); vault {
			vaultWith(t, map[string]string{"file": "key"})
			names = nil
		}
		lines := strings.SplitAfter(logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Read(people[1], "29ABCDE1234F2Z5", Token(1), "gst")
		}, names...), "\n")
		for name, change := range map[string]func(string) string{
			"both": func(s string) string {
				return strings.NewReplacer(`"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"***"`, `"mount_point":"mastersindia/"`, `"mount_point":"***"`).Replace(s)
			},
			"what is behind the mount": func(s string) string {
				return strings.ReplaceAll(s, `"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"mastersindia/***"`)
			},
			"the word token": func(s string) string {
				return strings.ReplaceAll(s, `"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"mastersindia/*****/29ABCDE1234F2Z5"`)
			},
			"the operation": func(s string) string { return strings.ReplaceAll(s, `"operation":"read"`, `"operation":"***"`) },
		} {
			if got := search(t, Token(1), file(t, lines[0]+lines[1]+change(lines[2]+lines[3]))); got.code == exitOK && got.given != "userpass-asha userpass-bina" {
				t.Errorf("Vault asked %t, %s: userpass-bina was given the token, and the report clears her: %+v", vault, name, got)
			}
			if got := search(t, Token(1), file(t, lines[0]+lines[1]+change(lines[2]))); got.code == exitOK {
				t.Errorf("Vault asked %t, %s, and the response is missing: the report clears userpass-bina: %+v", vault, name, got)
			}
		}
	}
}

// TestLeak_WrappedWithANewline: echo "$token" > note.txt; vault write -wrap-ttl=60 sys/wrapping/wrap note=@note.txt.
func TestLeak_WrappedWithANewline(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, end := range []string{"", "\n"} {
		got := search(t, Token(1), file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			note := map[string]any{"note": Token(1) + end}
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: note, Wrap: "w"})
			l.Do(unwrap(people[1], "w", note))
		}, tuned()...)))
		if got.code == exitOK && !strings.Contains(got.given, "bina") {
			t.Errorf("%q: userpass-bina unwrapped the token, and the report clears her: %+v", end, got)
		}
	}
}

// TestLeak_RejectedIDWithANewline: rejected_token_id=@id.txt, on a mount that does not show that parameter.
func TestLeak_RejectedIDWithANewline(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for _, form := range []string{"%", "%\n"} {
		id := strings.ReplaceAll(form, "%", tokenID(Token(1)))
		got := search(t, Token(1), file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[1], Operation: "update", Mount: mountPath, Path: "token/billing", Lease: true,
				Data: map[string]any{"rejected_token_id": id}, Answer: l.Answer(Token(2), "gst")})
		}, tuned()...)))
		if got.code == exitOK {
			t.Errorf("%q: userpass-bina named the token, and the report clears her: %+v", form, got)
		}
	}
}

// TestLeak_LogBeginsWithinAnEarlierRequest: the log begins within a read, a month before the token was issued. No file that could matter is missing.
func TestLeak_LogBeginsWithinAnEarlierRequest(t *testing.T) {
	withoutVault(t)
	r := runWith(t, Token(1), "-token-file=-", logFile(t, func(l *Log) {
		l.Do(Request{By: People()[2], Operation: "read", Mount: mountPath, Path: "token/billing", Answer: l.Answer(Token(9), "gst"), Lease: true, NoRequest: true})
		l.Wait(30 * 24 * time.Hour)
		l.Other(People()[2])
		l.Wait(time.Hour)
		l.Read(People()[0], "billing", Token(1), "gst")
	}, tuned()...))
	if r.code != exitOK {
		t.Errorf("exit code %d:\n%s", r.code, r.stdout)
	}
}

// TestLeak_PublicPathOfTheMountsName: the CA of a PKI mount whose path ends like the mount's needs no Vault token, and anybody may have it wrapped.
func TestLeak_PublicPathOfTheMountsName(t *testing.T) {
	withoutVault(t)
	for _, mount := range []string{"pki/", "pki-mastersindia/"} {
		text := logOf(t, "", func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Do(Request{By: Caller{Remote: "10.1.1.1"}, Operation: "read", Mount: mount, Path: "ca", Wrap: "w"})
		}, tuned()...)
		text = regexp.MustCompile(`"client_token(_accessor)?":"`+(&Log{Key: "audit-device-key"}).HMAC("external ")+`",`).ReplaceAllString(text, "")
		text = strings.NewReplacer(`"mount_type":"pki-mastersindia"`, `"mount_type":"pki"`, "pki-mastersindia_0a1b2c3d", "pki_1b2c3d4e").Replace(text)
		if r := runWith(t, Token(1), "-token-file=-", file(t, text)); r.code != exitOK {
			t.Errorf("%s: exit code %d:\n%s", mount, r.code, r.stdout)
		}
	}
}

// TestLeak_MaskedByOneOfTwo: one device's file is complete, the other's went through a collector that masks what is behind the mount, or both names.
func TestLeak_MaskedByOneOfTwo(t *testing.T) {
	withoutVault(t)
	people := People()
	reads := func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Read(people[1], "29ABCDE1234F2Z5", Token(1), "gst")
	}
	full, other := logOf(t, "key", reads, tuned()...), logOf(t, "other key", reads, tuned()...)
	for name, mask := range map[string]*strings.Replacer{
		"behind the mount": strings.NewReplacer(`"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"mastersindia/***"`),
		"both":             strings.NewReplacer(`"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"***"`, `"mount_point":"mastersindia/"`, `"mount_point":"***"`),
		"path":             strings.NewReplacer(`"path":"mastersindia/token/29ABCDE1234F2Z5"`, `"path":"***"`),
	} {
		t.Log(name)
		wantLeak(t, search(t, Token(1), file(t, full), file(t, mask.Replace(other))), exitOK, "userpass-asha userpass-bina", "")
	}
}

// TestLeak_MaskedWrapping: the wrapped read's path is masked behind the mount, and what was unwrapped has HMACs of a former salt.
func TestLeak_MaskedWrapping(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	first := logOf(t, "key", func(l *Log) { l.Read(people[0], "billing", Token(1), "gst") })
	second := logOf(t, "former key", func(l *Log) {
		l.n = 50
		l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/29ABCDE1234F2Z5", Wrap: "w"})
		l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
	})
	for _, path := range []string{"mastersindia/token/29ABCDE1234F2Z5", "mastersindia/***"} {
		text := strings.ReplaceAll(second, "mastersindia/token/29ABCDE1234F2Z5", path)
		if got := search(t, Token(1), file(t, first+text)); got.code == exitOK {
			t.Errorf("%s: userpass-bina unwrapped a token, and the report clears her: %+v", path, got)
		}
	}
}

// TestLeak_ForwardedUnwrappingAndASecondOne: the standby forwarded an unwrapping to the active node, whose log is not here. The caller's second
// try, which the standby refused, is not the answer to the first.
func TestLeak_ForwardedUnwrappingAndASecondOne(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	people := People()
	for name, origin := range map[string]bool{"wrapped read in the log": true, "not in the log": false} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			if origin {
				l.Do(Request{By: people[2], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
			}
			forwarded := unwrap(people[1], "w", nil)
			forwarded.Error = "cannot write to readonly storage"
			l.Do(forwarded)
			l.Wait(time.Second)
			again := unwrap(people[1], "w", nil)
			again.Error = "wrapping token is not valid or does not exist"
			l.Do(again)
		}))
		want := "userpass-bina"
		if origin {
			want = "approle userpass-bina"
		}
		t.Log(name)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", want)
	}
}

// TestLeak_ForwardedReadAndARefusedOne: what the standby itself refused a second later is not the answer to what it forwarded.
func TestLeak_ForwardedReadAndARefusedOne(t *testing.T) {
	vaultWith(t, map[string]string{"file": "key"})
	for name, second := range map[string]Request{
		"refused": {Operation: "read", Error: "rpc error: code = Unavailable desc = connection refused"},
		"listed":  {Operation: "list", Error: "1 error occurred:\n\t* permission denied\n\n", Denied: true},
	} {
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(People()[0], "billing", Token(1), "gst")
			l.Do(Request{By: People()[1], Operation: "read", Mount: mountPath, Path: "token/billing", Error: "please forward to the active node"})
			l.Wait(time.Second)
			second.By, second.Mount, second.Path = People()[1], mountPath, "token/billing"
			l.Do(second)
		}))
		t.Log(name)
		wantLeak(t, search(t, Token(1), path), exitIncomplete, "userpass-asha", "userpass-bina")
	}
}

// TestLeak_WrappedAndVaultNotAsked: the log itself tells the HMAC of the leaked token, beside its token_id. Who wraps that passes it on.
func TestLeak_WrappedAndVaultNotAsked(t *testing.T) {
	people := People()
	text := logOf(t, "key", func(l *Log) {
		l.Read(people[0], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w"})
	}, tuned()...)
	unwrapped := logOf(t, "key", func(l *Log) { l.n = 50; l.Wait(time.Minute); l.Do(unwrap(people[1], "w", nil)) })
	shown := logOf(t, "key", func(l *Log) {
		l.n = 50
		l.Wait(time.Minute)
		l.Do(unwrap(people[1], "w", map[string]any{"note": Token(1)}))
	})
	bywho := logOf(t, "key", func(l *Log) {
		l.n = 70
		l.Wait(time.Minute)
		l.Do(Request{By: people[2], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: map[string]any{"note": Token(1)}, Wrap: "w9"})
		l.Do(unwrap(people[0], "w9", map[string]any{"note": Token(1)}))
	})
	for _, asked := range []bool{true, false} {
		vaultWith(t, map[string]string{"file": "key"})
		if !asked {
			withoutVault(t)
		}
		t.Log("Vault asked", asked)
		wantLeak(t, search(t, Token(1), file(t, text)), exitIncomplete, "userpass-asha", "userpass-asha")
		wantLeak(t, search(t, Token(1), file(t, text+unwrapped)), exitIncomplete, "userpass-asha", "userpass-bina")
		wantLeak(t, search(t, Token(1), file(t, text+shown)), exitOK, "userpass-asha userpass-bina", "")
		wantLeak(t, search(t, Token(1), file(t, text+shown+bywho)), exitIncomplete, "userpass-asha userpass-asha userpass-bina", "approle") //nolint:dupword // given twice
	}
}

// What is wrapped is the value of a header, or what a program printed, and Vault is asked or not.
func TestLeak_WrappedForms(t *testing.T) {
	people := People()
	for _, form := range []string{"%", "%\n", "%\r\n", "JWT %", "JWT %\n", "Bearer %\n", "Authorization: JWT %", `"%"`, "\"%\"\n"} {
		note := map[string]any{"note": strings.ReplaceAll(form, "%", Token(1))}
		path := file(t, logOf(t, "key", func(l *Log) {
			l.Read(people[0], "billing", Token(1), "gst")
			l.Do(Request{By: people[0], Operation: "update", Mount: "sys/", Path: "wrapping/wrap", Data: note, Wrap: "w"})
			l.Do(unwrap(people[1], "w", note))
		}, tuned()...))
		vaultWith(t, map[string]string{"file": "key"})
		t.Run(fmt.Sprintf("%q", form), func(t *testing.T) { wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha userpass-bina", "") })
		if form == "%" || form == "JWT %" { // the line that gave the token has these two
			withoutVault(t)
			wantLeak(t, search(t, Token(1), path), exitOK, "userpass-asha userpass-bina", "")
		}
	}
}

// A standby that forwards while it checks the Vault token logs a response without a request.
func TestLeak_ForwardedBeforeItsRequestIsLogged(t *testing.T) {
	people := People()
	text := logOf(t, "key", func(l *Log) {
		l.Read(people[4], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", NoRequest: true, Error: "please forward to the active node"})
		l.Read(people[0], "billing", Token(1), "gst")
	}, tuned()...)
	wantLeak(t, search(t, Token(1), file(t, text)), exitOK, "userpass-asha userpass-omar", "")
	if got := must(t, "", file(t, text)); strings.Contains(got, "no request in the log") {
		t.Errorf("a request is said to be missing:\n%s", got)
	}
}

// A caller whose Vault token is of the root namespace unwraps in another one: the request has that one's mount, without its path.
func TestLeak_UnwrappedInAnotherNamespace(t *testing.T) {
	people := People()
	vaultWith(t, map[string]string{"file": "key"})
	lines := strings.SplitAfter(logOf(t, "key", func(l *Log) {
		l.Read(people[4], "billing", Token(1), "gst")
		l.Do(Request{By: people[0], Operation: "read", Mount: mountPath, Path: "token/billing", Wrap: "w"})
		l.Do(unwrap(people[1], "w", l.Answer(Token(1), "gst")))
	}, tuned()...), "\n")
	lines[4] = strings.ReplaceAll(lines[4], `"mount_point":"sys/"`, `"mount_point":"team/sys/"`)
	got := must(t, "", file(t, strings.Join(lines[:5], ""))) // its response is in no file
	if !strings.Contains(lines[4], "team/sys/") || strings.Contains(got, "Lines lack") {
		t.Errorf("fields are said to be left out:\n%s", got)
	}
}

// TestLeak_NewestFileFirst: files that were put together with the newest first begin with their earliest line.
func TestLeak_NewestFileFirst(t *testing.T) {
	withoutVault(t)
	older := logOf(t, "", func(l *Log) {
		l.Other(People()[2])
		l.issued[Token(1)] = l.now.Add(time.Second)
		l.Wait(time.Minute)
		readByAsha(l)
	}, tuned()...)
	newer := logOf(t, "", func(l *Log) {
		l.n = 90
		l.Wait(time.Hour)
		l.Other(People()[3])
	}, tuned()...)
	a := runWith(t, older+newer, "-format=json", "-")
	b := runWith(t, newer+older, "-format=json", "-")
	if a.code != b.code || a.stdout != b.stdout {
		t.Errorf("codes %d %d", a.code, b.code)
	}
	path := file(t, Token(1))
	a = runWith(t, older+newer, "-token-file="+path, "-format=json", "-")
	b = runWith(t, newer+older, "-token-file="+path, "-format=json", "-")
	if a.code != b.code || a.stdout != b.stdout {
		t.Errorf("codes %d %d\n%s", a.code, b.code, b.stdout[strings.Index(b.stdout, "notes"):])
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
	// A line of the key that Vault knows is judged, though somebody was given another token.
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

// TestVault_SettingsOfTheShell: audit devices are outside of all namespaces, whatever namespace the user's shell has.
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

// TestToken_ReadAsMeantOrRefused: a search for anything else than the token would find nobody.
func TestToken_ReadAsMeantOrRefused(t *testing.T) {
	withoutVault(t)
	path, token := logFile(t, (*Log).Day, tuned()...), Token(2)
	for _, text := range []string{
		token, "\ufeff" + token + "\r\n", `"` + token + `"` + "\n", "JWT " + token, `"JWT ` + token + `"`, "authorization: Bearer " + token,
	} {
		if r := runWith(t, text, "-token-file=-", path); !strings.Contains(r.stdout, "GIVEN THE LEAKED TOKEN\n  MOUNT") {
			t.Errorf("%q is not found: %s", text, r.stdout)
		}
	}
	for _, text := range []string{
		"hvs.CAESIinventedinventedinvented", "s.inventedinventedinvented", "b.AAAAAQinventedinvented-invented", // the last of OpenBao
		`{"access_token":"` + token + `"}`, `"access_token": "` + token + `",`, token + "\n" + Token(1) + "\n", token + ",", token + ".",
		"<" + token + ">", "JWT%20" + token, token + `\n`, "'" + token + "'", "\xff\xfei\x00n\x00", "",
		"eyJhbGciOiJub25lIn0", "JWT eyJhbGciOiJub25lIn0.", "eyJhbGciOiJub25lIn0.eyJpYXQiOjE3NzIzNTIwMDAs", // cut: all begin with the header
		inBase64(jwt(time.Now(), time.Now())), inBase64(strings.Repeat("0123456789", 4)), strings.TrimRight(inBase64(strings.Repeat("0123456789", 4)), "="),
		inBase64(`{"access_token":"` + jwt(time.Now(), time.Now()) + `"}`), "\ufeff" + inBase64(jwt(time.Now(), time.Now())), "`" + token + "`", token + ":", "hmac-sha256:" + digest(token),
		inBase64("Bearer " + token)[:20] + "\n" + inBase64("Bearer " + token)[20:],
	} {
		if r := runWith(t, text, "-token-file=-", path); r.code != exitFailed || strings.Contains(r.stderr, token) {
			t.Errorf("%q: want exit code 1 and no token shown, got %d: %s", text, r.code, r.stderr)
		}
	}
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text + "\n")) }

// jwt is an invented JWT of that life.
func jwt(issued, expires time.Time) string {
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d}`, issued.Unix(), expires.Unix())
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + strings.Repeat("invented", 5)
}

// TestVault_WithoutAuditDevices: of a Vault that lists none the report says so.
func TestVault_WithoutAuditDevices(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":{}}`)
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "invented-vault-token")
	if r := runWith(t, Token(1), "-token-file=-", logFile(t, (*Log).Day)); r.code != exitFailed || strings.Contains(r.stderr, "%!") {
		t.Errorf("want exit code 1 and words, got %d: %s", r.code, r.stderr)
	}
}

const (
	dayReceivers = "approle kubernetes-erp-invoices userpass-asha"
	// dayPossible are the readers of the day without Vault: each of the tokens, and two reads that the log does not show.
	dayPossible = "approle approle approle kubernetes-erp-invoices kubernetes-erp-invoices kubernetes-erp-invoices " + //nolint:dupword // three tokens each
		"userpass-asha userpass-asha userpass-asha" //nolint:dupword // three tokens each
)
