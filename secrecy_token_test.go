// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/simulator"
)

// loudUpstream logs in as the simulator does, and then answers with an error that repeats the token which it has just issued,
// beside the token itself. The error holds whatever key the protocol has for its tokens.
func loudUpstream(t *testing.T, sim *simulator.Simulator, status int, token *string) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		sim.ServeHTTP(recorded, r)
		body := recorded.Body.String()
		for _, word := range regexp.MustCompile(`[\w.~+/-]{20,}`).FindAllString(body, -1) {
			if sim.TokenAlive(word) {
				*token = word
			}
		}
		said := "session " + *token + " is still open"
		var object map[string]any
		if err := json.Unmarshal([]byte(body), &object); err == nil {
			object["error"] = said
			encoded, _ := json.Marshal(object) // it was JSON before
			body = string(encoded)
		} else {
			body = strings.Replace(body, "<error_description", "<error>"+said+"</error><error_description", 1)
		}
		rw.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	})
}

// A token is removed from the upstream's text under whatever key a protocol has it: see upstream.Spec.TokenKeys.
func TestSecrecy_TokenInAnErrorIsNotPassedOn(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, status := range []int{200, 206, 400, 401, 500} {
			timed(t, f.name+" "+http.StatusText(status), func(t *testing.T) {
				token := ""
				w := newWorldWith(t, func(w *world) { w.ear.upstream = loudUpstream(t, w.sim, status, &token) }, f.account)
				said := w.refusal(logical.UpdateOperation, "config/gst", f.config).message
				if token == "" {
					t.Fatal("the simulator issued no token")
				}
				if strings.Contains(said, token) {
					t.Fatalf("the message shows the token: %s", said)
				}
				if !strings.Contains(said, "is still open") {
					t.Errorf("the message does not say what the upstream said: %s", said)
				}
			})
		}
	}
}

// Every protocol has a fixture, so that whatever is tested for all fixtures is tested for it.
func TestFixtures_EveryProtocolHasOne(t *testing.T) {
	t.Parallel()
	for _, spec := range upstream.Specs() {
		has := slices.ContainsFunc(fixtures(), func(f fixture) bool { return f.config["protocol"] == string(spec.Protocol) })
		if !has {
			t.Errorf("protocol %s has no fixture", spec.Protocol)
		}
	}
}
