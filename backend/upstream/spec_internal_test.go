// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"net/http"
	"testing"
	"time"
)

// A protocol may have its token and its life under keys, and the life in a unit, that no other has.
func TestSpec_KeysAndUnitOfItsOwn(t *testing.T) {
	t.Parallel()
	spec := Spec{TokenKeys: []string{"jwt"}, LifeKey: "valid_for_minutes", LifeUnit: time.Minute}
	for body, want := range map[string]time.Duration{
		`{"jwt":"opaque-1","valid_for_minutes":30}`:            30 * time.Minute,
		`{"data":{"jwt":"opaque-1"},"valid_for_minutes":"30"}`: 30 * time.Minute,
		`{"jwt":"opaque-1","valid_for_minutes":1772368200}`:    30 * time.Minute, // an epoch counts seconds
		`{"jwt":"opaque-1","expires_in":60}`:                   time.Hour,        // the default
	} {
		received := &response{status: http.StatusOK, header: http.Header{}, sent: fuzzNow(), received: fuzzNow()}
		token, problem := newToken(&Account{DefaultTokenTTL: time.Hour}, received, readJSON([]byte(body), spec))
		if problem != "" {
			t.Errorf("%s: %s", body, problem)
			continue
		}
		if got := token.ExpiresAt.Sub(token.IssuedAt); got != want || token.AccessToken != "opaque-1" {
			t.Errorf("%s: a life of %s, want %s", body, got, want)
		}
	}
}
