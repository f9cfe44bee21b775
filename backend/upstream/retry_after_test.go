// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"testing"
	"time"
	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestRetryAfter_FromHeader(t *testing.T) {
	at := func(d time.Duration) string { return noon().Add(d).Format("Mon, 02 Jan 2006 15:04:05") + " GMT" }
	type testCase struct {
		status     int
		retryAfter string
		date       string
		want       time.Duration
	}
	each(t, map[string]testCase{
		"429 with seconds":                    {429, "Retry-After: 120", "X: y", 2 * time.Minute},
		"503 with seconds":                    {503, "Retry-After: 1", "X: y", time.Second},
		"429 without":                         {429, "X: y", "X: y", 0},
		"429 with zero":                       {429, "Retry-After: 0", "X: y", 0},
		"429 with less than zero":             {429, "Retry-After: -5", "X: y", 0},
		"429 with a fraction":                 {429, "Retry-After: 1.2", "X: y", 2 * time.Second},
		"429 with a date":                     {429, "Retry-After: " + at(90*time.Second), "X: y", 90 * time.Second},
		"503 with a date":                     {503, "Retry-After: " + at(90*time.Second), "X: y", 90 * time.Second},
		"429 with a date in the past":         {429, "Retry-After: " + at(-time.Minute), "X: y", 0},
		"a date counts from the response's":   {429, "Retry-After: " + at(0), "Date: " + at(-time.Minute), time.Minute},
		"a date counts from our clock if not": {429, "Retry-After: " + at(0), "Date: ", 0},
		"more than an hour":                   {429, "Retry-After: 86400", "X: y", time.Hour},
		"a date in more than an hour":         {429, "Retry-After: " + at(48*time.Hour), "X: y", time.Hour},
		"seconds beyond 64 bits":              {429, "Retry-After: 99999999999999999999999", "X: y", time.Hour},
		"a word":                              {429, "Retry-After: later", "X: y", 0},
		"503 with a word":                     {503, "Retry-After: later", "X: y", 0},
	}, func(t *testing.T, test testCase) {
		e := mustFail(login(t, upstream.JWT, always(test.status, "text/html", "<p>", test.retryAfter, test.date)))(t)
		mustBe(t, e, "throttled")
		check.Equal(t, e.RetryAfter, test.want, "the time to wait")
	})
}
