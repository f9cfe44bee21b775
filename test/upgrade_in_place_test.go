// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// snapshot is what a mount of an earlier version left in storage seven minutes into the year 2000, and what it had said of that:
// a shared token that was rotated, one that was revoked, a Retry-After and refused credentials.
type snapshot struct {
	Storage   map[string]json.RawMessage
	Responses map[string]map[string]any
}

// upgraded is a mount on the storage of an earlier version, a minute after that has stopped.
func upgraded(t *testing.T) (*testMount, snapshot) {
	t.Helper()
	var s snapshot
	check.NoError(t, json.Unmarshal([]byte(golden(t, "mount")), &s))
	advance(8 * time.Minute)
	return newTestMountWith(t, func(w *testMount) {
		for key, entry := range s.Storage {
			w.put(key, string(entry))
		}
	}, jwtAccount()), s
}

// The storage that an earlier version left is taken up as it is, without a login.
func TestUpgrade_InPlace(t *testing.T) {
	t.Parallel()
	timed(t, "says the same of all", func(t *testing.T) {
		w, before := upgraded(t)
		w.quiet(func() {
			for path, want := range before.Responses {
				got := overTheWire(t, w.read(path).Data)
				maps.DeleteFunc(got, func(field string, _ any) bool { _, is := want[field]; return !is })
				check.True(t, reflect.DeepEqual(got, want), "%s is %v, and the earlier version said %v", path, got, want)
			}
			for role, status := range map[string]int{"refused": http.StatusBadRequest, "throttled": http.StatusTooManyRequests} {
				r := w.refusal(logical.ReadOperation, "token/"+role, nil)
				check.True(t, r.status == status, "token/%s is answered %d, want %d", role, r.status, status)
				w.says(r.message, text(t, before.Responses["status/"+role], "next_attempt_at"))
			}
		})
	})
	for _, name := range []string{"refused", "throttled"} {
		timed(t, "keeps the hold of what was "+name, func(t *testing.T) {
			w, before := upgraded(t)
			end := moment(t, before.Responses["status/"+name], "next_attempt_at")
			w.quiet(func() {
				advanceUntil(end.Add(-time.Second))
				w.refusal(logical.ReadOperation, "token/"+name, nil)
			})
			w.loggingIn(1, func() {
				advance(time.Second)
				_, _ = w.tryRead("token/"+name, nil) // still refused, or a token
			})
		})
	}
	timed(t, "serves no revoked token", func(t *testing.T) {
		w, before := upgraded(t)
		w.loginsReturn(`{"token":"invented-access-token-2"}`) // which was revoked
		w.refusal(logical.ReadOperation, "token/eway", nil)
		w.Upstream.Replace(w.Simulator.ServeHTTP)
		advance(2 * time.Second)
		a := w.token("eway")
		revoked, _ := before.Responses["ledger/eway"]["tokens"].([]any)
		entry, _ := revoked[0].(map[string]any)
		check.Require(t, entry["state"] == "revoked" && entry["token_id"] == tokenID("invented-access-token-2"), "the earlier version had %v", entry)
		check.True(t, w.Simulator.TokenAlive(a.access), "the token is none of the upstream's")
		check.Equal(t, len(w.ledgerOf("eway")), 2, "tokens in the ledger, want the old one and the new")
	})
}
