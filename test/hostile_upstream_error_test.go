// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// shape is how a body says that a login has failed, or that it has not.
type shape struct {
	name, body string
	// kind is what the body itself says, whatever the status: a code whose meaning is known. It is empty for the other shapes.
	kind string
	// understood is set if the body has a known error.
	understood bool
	// status is the HTTP status that the body names or implies; it counts if HTTP says 2xx.
	status int
	// token says that the body holds one, and no error.
	token bool
}

const shapeToken = "0123456789abcdef0123456789abcdef01234567"

// shapes are the bodies that the vendors' pages show, those that are seen in practice, and those of proxies in front of them.
func (f fixture) shapes() []shape {
	if f.account.Protocol == simulator.SOAP {
		return soapShapes()
	}
	key := f.spec().TokenKeys[0]
	all := []shape{
		{name: "nothing"}, {name: "a page", body: "<html><body>Bad Gateway</body></html>"}, {name: "a word", body: "Forbidden"},
		{name: "null", body: "null"}, {name: "true", body: "true"}, {name: "a number", body: "42"}, {name: "a text", body: `"no"`},
		{name: "an empty list", body: "[]"}, {name: "an empty object", body: "{}"}, {name: "half an object", body: `{"error":"no`},
		{name: "a message", body: `{"message":"no such thing"}`}, {name: "success is false", body: `{"success":false,"code":7}`, understood: true, status: 503},
		{name: "a list of lists", body: `[["no"]]`}, {name: "not UTF-8", body: "{\"error\":\"\xff\"}"},
		{name: "no error", body: `{"error":false,"error_description":""}`}, {name: "two values", body: `{"error":"no"}{"error":"no"}`},
		{name: "XML", body: `<?xml version="1.0"?><error>no</error>`},

		{name: "a sentence", body: `{"error":"Unable to login with provided credential"}`, understood: true},
		{name: "error is true", body: `{"error":true,"message":"no"}`, understood: true, status: 503},
		{name: "error is true for a token", body: `{"error":true,"message":"Invalid access token"}`, understood: true, kind: "rejected"},
		{name: "an error of nothing", body: `{"error":{"code":0,"message":""}}`},
		{name: "error is an object", body: `{"error":{"message":"not today"}}`, understood: true},
		{name: "error in data", body: `{"data":{"error":"not today"}}`, understood: true},
		{name: "a description alone", body: `{"error_description":"not today"}`, understood: true},
		{name: "an unknown code", body: `{"error":"E4711"}`, understood: true},
		{name: "a detail", body: `{"detail":"Not found."}`, understood: true},
		{name: "a field", body: `{"username":["This field is required."]}`, understood: true, status: 400},
		{name: "no field", body: `{"non_field_errors":["Unable to log in."]}`, understood: true, kind: "rejected"},
		{name: "invalid_grant", body: `{"error":"invalid_grant","error_description":"no"}`, understood: true, kind: "rejected"},
		{name: "invalid_client", body: `{"error":"invalid_client"}`, understood: true, kind: "rejected"},
		{name: "invalid_scope", body: `{"error":"invalid_scope"}`, understood: true, kind: "rejected"},
		{name: "invalid_request", body: `{"error":"invalid_request"}`, understood: true, kind: "invalid"},
		{name: "server_error", body: `{"error":"server_error"}`, understood: true, kind: "unavailable"},
		{
			name: "a list of codes", understood: true, kind: "rejected",
			body: `[{"errorCode":"240101","title":"Unauthorized","status":401}]`,
		},
		{name: "a code", body: `{"errorCode":"240002","title":"Bad Request","status":400}`, understood: true, kind: "invalid"},
		{name: "an unknown code with 500", body: `[{"errorCode":"999999","status":500}]`, understood: true, status: 500},
		{name: "an unknown code with 403", body: `[{"errorCode":"999999","status":403}]`, understood: true, status: 403},
		{name: "an unknown code with 429", body: `[{"errorCode":"999999","status":429}]`, understood: true, status: 429},

		{name: "a token", body: fmt.Sprintf(`{%q:%q,%q:3600}`, key, shapeToken, f.spec().LifeKey), token: true},
		{name: "a token in data", body: fmt.Sprintf(`{"data":{%q:%q}}`, key, shapeToken), token: true},
		{name: "a token and an error", body: fmt.Sprintf(`{%q:%q,"error":"no"}`, key, shapeToken), understood: true},
	}
	return all
}

func soapShapes() []shape {
	envelope := func(inner string) string {
		return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + inner +
			`</s:Body></s:Envelope>`
	}
	response := func(inner string) string {
		return envelope(`<n:access_tokenResponse xmlns:n="urn:server">` + inner + `</n:access_tokenResponse>`)
	}
	return []shape{
		{name: "nothing"}, {name: "a page", body: "<html><body>Bad Gateway</body></html>"}, {name: "a word", body: "Forbidden"},
		{name: "JSON", body: `{"error":"no"}`}, {name: "an empty envelope", body: envelope("")},
		{name: "half an envelope", body: response("<error>no</error>")[:120]}, {name: "an empty response", body: response("")},
		{name: "an empty description", body: response("<error_description/>")},
		{name: "not UTF-8", body: response("<error>\xff</error>")},

		{name: "bare text", body: response("not today"), understood: true},
		{name: "an error", body: response("<error>not today</error>"), understood: true},
		{name: "a description", body: response("<error_description>not today</error_description>"), understood: true},
		{
			name: "a fault of ours", understood: true, kind: "invalid",
			body: envelope("<s:Fault><faultcode>s:Client</faultcode><faultstring>no such method</faultstring></s:Fault>"),
		},
		{
			name: "a fault of theirs", understood: true, status: 500,
			body: envelope("<s:Fault><faultcode>s:Server</faultcode><faultstring>out of memory</faultstring></s:Fault>"),
		},
		{
			name: "a token", token: true,
			body: response("<access_token>" + shapeToken + "</access_token><expires_in>14400</expires_in><error_description/>"),
		},
		{
			name: "a token and an error", understood: true,
			body: response("<access_token>" + shapeToken + "</access_token><error_description>no</error_description>"),
		},
	}
}

// shapeStatuses are HTTP statuses; the one with a minus comes with Retry-After. Where another protocol has gone through all with
// the same way of reading JSON, a few will do.
func (f fixture) shapeStatuses() []int {
	if f.account.Protocol != simulator.JWT && f.account.Protocol != simulator.SOAP {
		return []int{200, 206, 302, 400, 401, 403, 408, 429, 500, 503, -503}
	}
	return []int{
		200, 201, 202, 206, 226, 300, 302, 304, 307, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 423, 429, 451,
		500, 501, 502, 503, -503, 504, 511, 520, 599,
	}
}

// wanted is the kind of failure that the contract requires for a response.
func (s shape) wanted(status int) string {
	understood := s.understood && status != 304 // which has no body
	switch {
	case status == 429 || status == -503:
		return "throttled"
	case status == 401:
		return "rejected"
	case (status == 408 || status >= 500) && s.kind == "":
		return "unavailable"
	case status >= 300 && status < 400:
		return "malformed"
	case status < 300 && s.token:
		return ""
	case status == 206 && isJSON(s.body):
		return "rejected"
	case slices.Contains([]int{400, 403, 422}, status) && !understood && isObject(s.body):
		return "invalid"
	case !understood:
		return "malformed"
	case s.kind != "":
		return s.kind
	case status >= 300:
		return kindTold(status)
	case s.status >= 400:
		return kindTold(s.status)
	default:
		return "rejected"
	}
}

// isObject reports whether a body is a JSON object.
func isObject(body string) bool { return isJSON(body) && strings.HasPrefix(body, "{") }

func isJSON(body string) bool { return json.Valid([]byte(body)) && utf8.ValidString(body) }

// kindTold is the kind of an error that is known by nothing but its status.
func kindTold(status int) string {
	switch {
	case status == 429:
		return "throttled"
	case status == 401, status == 403:
		return "rejected"
	case status >= 500:
		return "unavailable"
	default:
		return "invalid"
	}
}

// code is the HTTP status that a reader gets for a failure of that kind.
func (s shape) code(kind string, status int) int {
	switch {
	case kind == "rejected", kind == "invalid":
		return http.StatusBadRequest
	case kind == "throttled":
		return http.StatusTooManyRequests
	case kind == "unavailable" && status == http.StatusRequestTimeout && s.kind == "":
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadGateway
	}
}

// TestHostileUpstream_ErrorShapesClassified goes through all statuses and bodies, with content types that mean nothing. After
// each failure the upstream turns good again, and the next login must succeed.
func TestHostileUpstream_ErrorShapesClassified(t *testing.T) {
	t.Parallel()
	types := []string{"application/json", "text/html", "text/xml; charset=utf-8", "", "application/problem+json", "\"nonsense"}
	var tried []simulator.Protocol
	for _, f := range fixtures() {
		if slices.Contains(tried, f.account.Protocol) {
			continue // its responses are read in the same way
		}
		tried = append(tried, f.account.Protocol)
		timed(t, f.name, func(t *testing.T) {
			shapes, statuses := f.shapes(), f.shapeStatuses()
			good := shapes[slices.IndexFunc(shapes, func(s shape) bool { return s.token })]
			var now shape
			var status, turn, asked int
			w, _ := mountWithUpstream(t, func(rw http.ResponseWriter, _ mounttest.Request) {
				asked++
				if mediaType := types[turn%len(types)]; mediaType != "" {
					rw.Header().Set("Content-Type", mediaType)
				}
				if status < 0 {
					rw.Header().Set("Retry-After", "7")
				}
				rw.WriteHeader(max(status, -status))
				_, _ = io.WriteString(rw, strings.ReplaceAll(now.body, shapeToken, strconv.Itoa(1000+turn)+shapeToken))
			})
			w.mount(f, "max_token_ttl", "3m") // else the tokens that were replaced pile up
			found := map[string]int{}
			for _, s := range shapes {
				for _, code := range statuses {
					now, status, turn = s, code, turn+1
					before := asked
					found[w.failWithShape(f, s, code)]++
					check.True(t, asked == before+1, "%s at %d: %d requests, want 1", s.name, code, asked-before)
					now, status, turn = good, http.StatusOK, turn+1
					advance(61 * time.Second)
					r, refused := asRefusal(w.do(t.Context(), logical.UpdateOperation, "rotate/gst", nil))
					check.Require(t, !refused, "%s at %d: the next good login failed: %s", s.name, code, r.message)
					advance(11 * time.Second)
				}
			}
			t.Logf("%d answers: %s", len(shapes)*len(statuses), tally(found))
		})
	}
}

// failWithShape makes one forced login fail, and checks the kind of the failure and the status code. It returns the kind.
func (w *testMount) failWithShape(f fixture, s shape, status int) string {
	w.t.Helper()
	want := s.wanted(status)
	r, refused := asRefusal(w.do(w.t.Context(), logical.UpdateOperation, "rotate/gst", nil))
	if want == "" {
		check.True(w.t, !refused, "%s at %d: refused: %s", s.name, status, r.message)
		return "good"
	}
	kind := fmt.Sprint(w.read("status/gst").Data["last_error_kind"])
	if !refused || kind != want || r.status != s.code(want, status) {
		w.t.Errorf("%s at %d: sorted as %s and returned %d, want %s and %d: %s",
			s.name, status, kind, r.status, want, s.code(want, status), r.message)
	}
	w.hides(r.message, append(f.secrets(), shapeToken)...)
	w.says(r.message, "gst")
	return kind
}

// tally shows counts by name.
func tally(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}
