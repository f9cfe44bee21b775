// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestSpec_EveryProtocolIsListed: a protocol that protocols() does not list is dead code, and its absence breaks nothing else.
func TestSpec_EveryProtocolIsListed(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, p := range protocols() {
		listed = append(listed, reflect.TypeOf(p).Name())
		s := p.spec()
		check.True(t, s.Summary != "" && s.TokenUse != "" && s.Scheme != "" && s.DefaultTokenTTL != 0 && len(s.TokenKeys) != 0,
			"%s: its spec() lacks Summary, TokenUse, Scheme, DefaultTokenTTL or TokenKeys", listed[len(listed)-1])
		check.True(t, s.LifeKey == "" || s.LifeUnit != 0, "%s: its spec() has a LifeKey and no LifeUnit", listed[len(listed)-1])
		check.Equal(t, p.name(), s.Protocol, "%s: name()", listed[len(listed)-1])
	}
	files := check.Value(filepath.Glob("*.go"))(t)
	declares := regexp.MustCompile(`(?m)^func \((?:\w+ )?(\w+)\) spec\(\) Spec`)
	found := 0
	for _, file := range files {
		source := check.Value(os.ReadFile(file))(t)
		for _, match := range declares.FindAllStringSubmatch(string(source), -1) {
			found++
			check.True(t, slices.Contains(listed, match[1]), "%s: %s is not in use: add it to protocols() in spec.go", file, match[1])
		}
	}
	check.True(t, found >= len(listed), "%d protocols found in the source, want %d", found, len(listed))
}

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
		got := token.ExpiresAt.Sub(token.IssuedAt)
		check.True(t, got == want && token.AccessToken == "opaque-1", "%s: a life of %s, want %s", body, got, want)
	}
}
