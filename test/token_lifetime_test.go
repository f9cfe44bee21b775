// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
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
	fixturesTest(t, func(t *testing.T, f fixture) {
		silent := f
		silent.account.OmitExpiry = true
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
			"not told, with the usual default": {silent, nil, f.silent},
			"told as two minutes":              {f.living(2 * time.Minute), nil, 2 * time.Minute},
		} {
			data := life.of.mounted(t, life.change...).read("token/app").Data
			check.Equal(t, moment(t, data, "expires_at").Sub(moment(t, data, "issued_at")), life.want, "%s: a life", name)
		}
	})
}

const year = 365 * 24 * time.Hour

func TestTokenLife_ManyYearsRotatedWhenDue(t *testing.T) {
	eachPair(t, fixtures(), []time.Duration{9 * year, 27 * year}, func(t *testing.T, f fixture, life time.Duration) {
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
	eachPair(t, []bool{false, true}, []bool{false, true}, func(t *testing.T, told, restart bool) {
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
		check.True(t, a.id == first.id && a.expires.Equal(want.Truncate(time.Second)), "%s until %s, want %s", a.id, a.expires, want)
	})
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

func TestTokenTTL_IsPlannedRotation(t *testing.T) {
	eachOf(t, []int{1, 33, 66, 90, 100}, func(t *testing.T, percent int) {
		w := oauth().mounted(t, "rotation_percent", percent)
		began := time.Now()
		data := w.read("token/app").Data
		period, ttl := seconds(t, data, "rotation_period"), seconds(t, data, "ttl")
		planned := time.Hour * time.Duration(percent) / 100
		check.True(t,
			period >= time.Second && period <= time.Hour && period >= planned-10*time.Second && period <= planned+10*time.Second,
			"rotation_period is %s, want %s", period, planned)
		check.True(t, ttl >= 5*time.Second && ttl <= time.Hour, "ttl is %s, want at least 5s and at most the token's life", ttl)
		between(t, ttl, planned-10*time.Second, planned+10*time.Second+time.Minute, "ttl")
		at := moment(t, data, "last_vault_rotation")
		check.True(t, at.Sub(began).Abs() <= time.Second, "last_vault_rotation is %s, want %s", at, began)
	})
}

// With a longer ttl just before a rotation, clients that follow it would come too late.
func TestTokenTTL_CountsDownToTheRotation(t *testing.T) {
	eachOf(t, []string{"token/app", "token/many"}, func(t *testing.T, path string) {
		w := oauth().living(10 * time.Minute).mounted(t)
		w.write("role/many", map[string]any{"config": "gst", "lease": false})
		first := w.read(path).Data
		planned := time.Now().Add(seconds(t, first, "ttl"))
		advance(time.Until(planned) - 6*time.Second)
		least := time.Hour
		for {
			data := w.read(path).Data
			if data["token_id"] != first["token_id"] {
				break
			}
			ttl, until := seconds(t, data, "ttl"), time.Until(planned)
			least = min(least, ttl)
			check.True(t, ttl <= max(until, 0)+time.Second && ttl >= time.Second, "ttl is %s, %s before the rotation", ttl, until)
			advance(250 * time.Millisecond)
		}
		check.True(t, least == time.Second, "the least ttl before the rotation is %s, want 1s", least)
	})
}

// While a rotation is overdue the TTL is never below five. It never passes the token's end.
func TestTokenTTL_BelowFiveBeforeRotationOnly(t *testing.T) {
	eachNamed(t, map[string]func(w *testMount){
		"in peace":                    func(*testMount) {},
		"while the upstream is down":  func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown}) },
		"while logins are refused":    func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse}) },
		"while logins are throttled":  func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultThrottled}) },
		"while logins take very long": func(w *testMount) { w.slow(14 * time.Second) },
	}, func(t *testing.T, name string, disturb func(w *testMount)) {
		f := oauth().living(10 * time.Minute)
		w := f.mounted(t)
		planned := time.Now().Add(seconds(t, w.read("token/app").Data, "ttl"))
		disturb(w)
		for began := time.Now(); time.Since(began) < 9*time.Minute+50*time.Second; advance(7300 * time.Millisecond) {
			resp, err := w.tryRead("token/app", nil)
			check.Require(t, err == nil, "%s after the first read: %v", time.Since(began), err)
			ttl, left := seconds(t, resp.Data, "ttl"), seconds(t, resp.Data, "expires_in")
			check.True(t, ttl <= left+time.Second, "ttl is %s, but the token ends in %s", ttl, left)
			overdue := time.Now().After(planned) && name != "in peace"
			check.True(t, !overdue || ttl >= 5*time.Second || ttl >= left-time.Second, "ttl is %s, want at least 5s", ttl)
			check.True(t, seconds(t, resp.Data, "rotation_period") >= time.Second, "rotation_period is below a second")
		}
	})
}

// TestTokenTTL_LoweredDuringLogin: what a login brings lives no longer than the settings allow that are in force when it ends.
func TestTokenTTL_LoweredDuringLogin(t *testing.T) {
	eachOf(t, []string{"max_token_ttl", "default_token_ttl"}, func(t *testing.T, field string) {
		s := gstMount(t, 24*time.Hour)
		s.Simulator.SetAccount(jwtAccount(withTTL(24*time.Hour), func(a *simulator.Account) {
			a.OmitExpiry = field == "default_token_ttl"
		}))
		release := s.Upstream.Hold()
		reader := s.async("token/app")
		advance(time.Second)
		check.Require(t, s.logins() == 1, "no login is in flight")
		s.write("config/gst", map[string]any{field: "1h"})
		release()
		s.wait(reader)
		a := s.token("app")
		check.True(t, a.left <= time.Hour, "a token has %s left, and %s is an hour", a.left, field)
		s.wantLogins(1, "by a reader")
	})
}
