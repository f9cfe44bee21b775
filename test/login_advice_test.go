// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// answers puts an upstream in place that always gives this response.
func (w *testMount) answers(status int, body string, headers ...string) {
	w.Upstream.Replace(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		for n := 0; n < len(headers); n += 2 {
			rw.Header().Set(headers[n], headers[n+1])
		}
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	})
}

// A known error of the gateway is called none that is known.
func TestLoginAdvice_OutdatedAssertion(t *testing.T) {
	eachOf(t, []int{400, 401}, func(t *testing.T, status int) {
		w := assertion().mounted(t, "verify_connection", false)
		w.answers(status, `{"errorCode":"API-Sec-013","errorMessage":"The JWT has an invalid expiry."}`)
		err := w.failure("app").Error()
		check.True(t, !strings.Contains(err, "no known error") && strings.Contains(err, "API-Sec-013"), "the message hides the upstream's code: %s", err)
		check.True(t, !strings.Contains(err, "check that token_url is the login endpoint"), "the advice is wrong: %s", err)
	})
}

// The login endpoint has given a token, or named what it minds: token_url is not what to check.
func TestLoginAdvice_UnusableToken(t *testing.T) {
	each(t, map[string]string{
		"too short":   `{"token":"abcdefghijklmnopq","expires_in":5}`,
		"expired":     `{"token":"abcdefghijklmnopq","expires_in":900000000}`,
		"no number":   `{"token":"abcdefghijklmnopq","expires_in":"one hour"}`,
		"two words":   `{"token":"abcdefgh ijklmnopq","expires_in":3600}`,
		"no lifetime": `{"token":"abcdefghijklmnopq","expires_in":0}`,
	}, func(t *testing.T, body string) {
		w := jwtV1().mounted(t, "verify_connection", false)
		if strings.Contains(body, "900000000") {
			body = strings.Replace(body, "900000000", "1000000000", 1)
			advance(2 * 366 * 24 * time.Hour)
		}
		w.answers(200, body)
		err := w.failure("app").Error()
		check.True(t, !strings.Contains(err, "check that token_url is the login endpoint"), "the endpoint gave a token: %s", err)
	})
}

func TestLoginAdvice_ReplayedAssertion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := assertion().mounted(t, "verify_connection", false)
		w.answers(403, `{"errorCode":"API-Sec-006","errorMessage":"Replay attack detected."}`)
		err := w.failure("app").Error()
		check.True(t, !strings.Contains(err, "check that token_url is the login endpoint"), "the endpoint knows the assertion: %s", err)
	})
}

// A gateway before the SOAP server refuses the credentials in JSON, over 200.
func TestSOAP_RefusalInJSON(t *testing.T) {
	eachOf(t, []int{200, 400, 500}, func(t *testing.T, status int) {
		w := soap().mounted(t, "verify_connection", false)
		w.answers(status, `{"error":"invalid_client","error_description":"The client credentials are invalid"}`)
		err := w.failure("app")
		check.True(t, codeOf(err) == 400 && strings.Contains(err.Error(), "refused the credentials"), "HTTP %d: got %d (%v)", status, codeOf(err), err)
	})
}

// delay-seconds of RFC 9110 is 1*DIGIT.
func TestRetryAfter_LeadingZeros(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := jwtV1().mounted(t, "verify_connection", false)
		w.answers(429, "", "Retry-After", "0600")
		err := w.failure("app").Error()
		w.says(err, "next attempt at 2000-01-01T00:10:0")
	})
}

// The host's clock and the authorization server's are right. A front end, as a CDN or a load balancer, sends another Date.
func TestAssertion_DateOfAFrontEnd(t *testing.T) {
	eachOf(t, []time.Duration{0, -10 * time.Second, 45 * time.Second, 10 * time.Minute, -10 * time.Minute}, func(t *testing.T, off time.Duration) {
		w := assertion().mounted(t, "verify_connection", false)
		w.Upstream.Replace(func(rw http.ResponseWriter, r *http.Request) {
			w.Simulator.ServeHTTP(dated{rw, time.Now().Add(off)}, r) // which checks iat and exp by the right clock
		})
		for range 5 {
			a, err := w.ask(t.Context(), "app", nil)
			check.Require(t, err == nil, "a read failed after %d logins, with the right credentials: %v", w.logins(), err)
			check.True(t, w.Simulator.TokenAlive(a.access), "a dead token")
			t.Logf("%s: %d logins, status %v %v", off, w.logins(), w.status()["state"], w.status()["clock_skew_seconds"])
			advance(50 * time.Minute)
		}
	})
}

// dated is a front end that sends a Date of its own.
type dated struct {
	http.ResponseWriter

	at time.Time
}

func (d dated) WriteHeader(status int) {
	d.Header().Set("Date", d.at.UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

// as004 calls an assertion that is not valid by the clock what the gateway's other page calls it.
type as004 struct{ http.ResponseWriter }

func (a as004) Write(b []byte) (int, error) {
	return a.ResponseWriter.Write([]byte(strings.Replace(string(b), "API-Sec-013", "API-Sec-004", 1)))
}

func TestAssertion_RefusedByTheDateOfAFrontEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := assertion().mounted(t, "verify_connection", false)
		w.Upstream.Replace(func(rw http.ResponseWriter, r *http.Request) {
			w.Simulator.ServeHTTP(dated{as004{rw}, time.Now().Add(45 * time.Second)}, r)
		})
		w.token("app")
		advance(50 * time.Minute)
		check.Equal(t, w.status()["state"], any("ready"), "state, of right credentials: %v", w.status()["message"])
		w.write("config/gst", map[string]any{"request_timeout": "16s"}) // no other login; a new client
		advance(2 * time.Minute)
		w.write("rotate/gst", nil)
	})
}
