// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// issued are the tokens that the upstream has given out at logins.
type issued struct {
	mu     sync.Mutex
	tokens []string
}

// recordIssued notes every token that the upstream gives out from now on.
func (s *testMount) recordIssued() *issued {
	i := &issued{}
	s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
		response := httptest.NewRecorder()
		s.Simulator.ServeHTTP(response, r)
		var grant struct {
			Token string `json:"token"`
		}
		login := !strings.Contains(r.URL.Path, "refresh")
		if login && json.Unmarshal(response.Body.Bytes(), &grant) == nil && grant.Token != "" {
			i.mu.Lock()
			i.tokens = append(i.tokens, grant.Token)
			i.mu.Unlock()
		}
		maps.Copy(w.Header(), response.Header())
		w.WriteHeader(response.Code)
		_, _ = w.Write(response.Body.Bytes())
	})
	return i
}

// ids are the token IDs of all tokens so far.
func (i *issued) ids() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ids []string
	for _, token := range i.tokens {
		ids = append(ids, tokenIDOf(token))
	}
	return ids
}

// all are the tokens themselves.
func (i *issued) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.tokens)
}

// tokenIDOf is the contract's name of a token: the first 16 hex digits of its SHA-256.
func tokenIDOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])[:16]
}

// capitals is an ID as some programs print it.
func capitals(id string) string { return strings.ToUpper(id) }

// lettered is the current token of role app, whose ID has a letter in it: nearly every one has.
func lettered(s *testMount) tokenResponse {
	s.t.Helper()
	for {
		if a := s.token("app"); capitals(a.id) != a.id {
			return a
		}
		advance(time.Minute)
		s.mustRotate()
	}
}
