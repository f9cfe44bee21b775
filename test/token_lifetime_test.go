// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// The lifetime of a token is that of the response, or the default, and never above the limit.
func TestTokenLife_FromResponseDefaultAndLimit(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		silent := f
		silent.name, silent.account.OmitExpiry = f.name+" without a lifetime", true
		for name, life := range map[string]struct {
			of     fixture
			change []any
			want   time.Duration
		}{
			"as told":                          {f, nil, f.life},
			"told, and the default is another": {f, []any{"default_token_ttl", "20m"}, f.life},
			"told, and a shorter limit":        {f, []any{"max_token_ttl", "20m"}, 20 * time.Minute},
			"told, and a longer limit":         {f, []any{"max_token_ttl", "48h"}, f.life},
			"not told":                         {silent, []any{"default_token_ttl", "20m"}, 20 * time.Minute},
			"not told, and a shorter limit":    {silent, []any{"default_token_ttl", "20m", "max_token_ttl", "10m"}, 10 * time.Minute},
			"not told, with the usual default": {silent, nil, f.spec().DefaultTokenTTL},
			"told as two minutes":              {f.living(2 * time.Minute), nil, 2 * time.Minute},
		} {
			timed(t, f.name+" "+name, func(t *testing.T) {
				w := life.of.mounted(t, life.change...)
				data := w.read("token/app").Data
				check.Equal(t, moment(t, data, "expires_at").Sub(moment(t, data, "issued_at")), life.want, "a life")
			})
		}
	}
}

const year = 365 * 24 * time.Hour

func TestTokenLife_ManyYearsRotatedWhenDue(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, life := range []time.Duration{9 * year, 27 * year} {
			timed(t, f.name+" "+life.String(), func(t *testing.T) {
				startIn(t, 2026)
				w := f.living(life).mounted(t)
				w.loggingIn(1, func() {
					for range 3 {
						between(t, seconds(t, w.read("token/app").Data, "ttl"), life/10*6, life/10*7, "the rotation is in")
						advance(time.Minute)
					}
				})
			})
		}
	}
}

func TestTokenLife_ManyYearsOverdueHasTTL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		startIn(t, 2026)
		w := jwtV1().living(5*year).mounted(t, "rotation_percent", 1)
		w.read("token/app")
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		advance(5*year/100 + time.Minute)
		check.True(t, w.Simulator.Counters().Faulted != 0, "no rotation was tried")
		between(t, seconds(t, w.read("token/app").Data, "ttl"), 15*time.Second, 3*time.Minute, "ttl is")
	})
}

// A corrected default counts for the token that is out, also after a restart; a lifetime that was told stays.
func TestTokenLife_ShorterDefaultCountsAtOnce(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			timed(t, fmt.Sprintf("told %t, restart %t", told, restart), func(t *testing.T) {
				f := jwtV1()
				f.account.OmitExpiry = !told
				w := f.mounted(t, "default_token_ttl", "24h")
				first := w.token("app")
				advance(time.Minute)
				w.reloadIf(restart)
				w.write("config/gst", map[string]any{"default_token_ttl": "1h"})
				want := first.expires
				if !told {
					want = first.issued.Add(time.Hour)
				}
				a := w.token("app")
				check.True(t, a.id == first.id && a.expires.Equal(want.Truncate(time.Second)),
					"token %s lives until %s, want %s until %s", a.id, a.expires, first.id, want)
			})
		}
	}
}

// A write that makes the token end now, or earlier, says so. Where the upstream is down, reads fail from then on.
func TestTokenLife_ShorterLimitWarns(t *testing.T) {
	silent := jwtV1().living(2 * time.Hour)
	silent.account.OmitExpiry = true
	told := jwtV1().living(2 * time.Hour)
	const ended = "Its token is older than it now may be, and is out of use. vault read mastersindia/status/gst says: "
	type testCase struct {
		of    fixture
		limit map[string]any
		says  string
		ends  bool
	}
	each(t, map[string]testCase{
		"ends now":              {told, map[string]any{"max_token_ttl": "20m"}, ended, true},
		"ends earlier":          {told, map[string]any{"max_token_ttl": "1h"}, "Its token is served until ", false},
		"not told, ends now":    {silent, map[string]any{"default_token_ttl": "20m"}, ended, true},
		"ends as before":        {told, map[string]any{"max_token_ttl": "3h"}, "", false},
		"told, another default": {told, map[string]any{"default_token_ttl": "20m"}, "", false},
		"not served":            {told, map[string]any{"max_token_ttl": "1h", "paused": true}, "", true},
	}, func(t *testing.T, c testCase) {
		w := c.of.mounted(t)
		w.read("token/app")
		advance(30 * time.Minute)
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		said := warningsOf(w.write("config/gst", c.limit))
		w.says(said, c.says)
		check.True(t, (said == "") == (c.says == ""), "the write warns %q, want %q", said, c.says)
		resp, err := w.tryRead("token/app", nil)
		check.True(t, (err != nil) == c.ends, "a read after the write gives %v, %v, and the token has ended: %t", resp, err, c.ends)
	})
}

// TestTokenLife_WordIsMalformed has the upstream tell the life in a word that no protocol has. A life that is told and not understood
// must not become the default one, which may be longer.
func TestTokenLife_WordIsMalformed(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			s := f.mounted(t)
			key := regexp.QuoteMeta(f.spec().LifeKey)
			told := regexp.MustCompile(`("` + key + `"\s*:\s*)("[^"]*"|[0-9.]+)|(<` + key + `[^>]*>)[^<]*`)
			s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
				response := httptest.NewRecorder()
				s.Simulator.ServeHTTP(response, r)
				body := response.Body.String()
				if told.MatchString(body) {
					body = told.ReplaceAllString(body, `${1}${3}"soon"`)
				} else {
					body = strings.Replace(body, "{", `{"`+f.spec().LifeKey+`": "soon", `, 1)
				}
				maps.Copy(w.Header(), response.Header())
				w.Header().Del("Content-Length")
				w.WriteHeader(response.Code)
				_, _ = io.WriteString(w, body) // to the engine
			})
			check.Contains(t, s.failure("app").Error(), "the token's expiry is not a number")
		})
	}
}
