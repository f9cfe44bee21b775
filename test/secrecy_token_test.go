// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
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

// loudUpstream logs in as the simulator does, and then responds with an error beside the token which it has just issued, under
// whatever key the protocol has for it. say makes the error's text of the token.
func loudUpstream(t *testing.T, sim *simulator.Simulator, status int, token *string, say func(string) string) http.Handler {
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
		said := say(*token)
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

// A text of the upstream that repeats a token is left out, under whatever key a protocol has the token: see
// upstream.Spec.TokenKeys. Any other text is passed on.
func TestSecrecy_TokenInAnErrorIsNotPassedOn(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, status := range []int{200, 206, 400, 401, 500} {
			timed(t, f.name+" "+http.StatusText(status), func(t *testing.T) {
				token := ""
				refused := func(say func(token string) string) string {
					w := newTestMountWith(t, func(w *testMount) { w.Upstream.Replace(loudUpstream(t, w.Simulator, status, &token, say).ServeHTTP) }, f.account)
					return w.refusal(logical.UpdateOperation, "config/gst", f.config).message
				}
				message := refused(func(string) string { return "a session is still open" })
				if !strings.Contains(message, "a session is still open") {
					t.Errorf("the message does not say what the upstream said: %s", message)
				}
				message = refused(func(token string) string { return "session " + token + " is still open" })
				if token == "" {
					t.Fatal("the simulator issued no token")
				}
				if strings.Contains(message, token) || strings.Contains(message, "is still open") {
					t.Fatalf("the message repeats a text with the token (declare the key that holds it in Spec.TokenKeys): %s", message)
				}
				if want := fmt.Sprintf("(HTTP %d)", status); !strings.Contains(message, want) {
					t.Errorf("the message does not say %s: %s", want, message)
				}
			})
		}
	}
}

// Every protocol has a fixture for each of its request formats, so that whatever is tested for all of them is tested for it.
func TestFixtures_EveryProtocolAndFormatHasOne(t *testing.T) {
	t.Parallel()
	for _, spec := range upstream.Specs() {
		formats := spec.Formats
		if len(formats) == 0 {
			formats = []upstream.Format{""} // the one form that the protocol has
		}
		for _, format := range formats {
			has := slices.ContainsFunc(variants(), func(f fixture) bool {
				return f.config["protocol"] == string(spec.Protocol) && f.format() == format
			})
			if !has {
				t.Errorf("protocol %s has no fixture with request_format=%q: add one to fixtures() in test/fixtures_test.go", spec.Protocol, format)
			}
		}
	}
}
