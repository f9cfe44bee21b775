// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// counts checks a counter of config gst: what has happened, by its last label, and nothing else.
func (s scraped) counts(t *testing.T, metric string, want map[string]float64) {
	t.Helper()
	check.Equal(t, s.counted(metric), want, "%s", metric)
}

// durations checks that the histogram has an observation of each login that was counted.
func (s scraped) durations(t *testing.T) {
	t.Helper()
	logins := 0.0
	for result, n := range s.of("logins_total") {
		if !strings.Contains(result, "blocked") { // the upstream was not asked
			logins += n
		}
	}
	check.Equal(t, s.samples["login_duration_seconds_count"], logins, "durations for %v logins", logins)
}

func TestMetrics_ReadsAndLoginsByResult(t *testing.T) {
	type counts = map[string]float64
	type testCase struct {
		fault         simulator.Fault
		happens       func(w *testMount)
		reads, logins counts
	}
	read := func(w *testMount) { w.refused(logical.ReadOperation, "token/app", nil) }
	twice := func(w *testMount) { read(w); read(w) }
	throttled := simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Minute}
	each(t, map[string]testCase{
		"ok": {simulator.Fault{}, func(w *testMount) { w.read("token/app"); w.read("token/app") }, counts{"ok": 2}, counts{"ok": 1}},
		"paused": {simulator.Fault{}, func(w *testMount) {
			w.write("config/gst", map[string]any{"paused": true})
			read(w)
		}, counts{"paused": 1}, counts{}},
		"cancelled": {simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second}, func(w *testMount) {
			ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
			defer cancel()
			w.refusalIn(ctx, logical.ReadOperation, "token/app", nil)
			advance(10 * time.Second)
		}, counts{"cancelled": 1}, counts{"ok": 1}},
		// "cancelled" is for a reader that did not wait to the end, and no alert looks at it.
		"waited to the end": {simulator.Fault{Kind: simulator.FaultStall}, func(w *testMount) {
			w.write("config/gst", map[string]any{"request_timeout": "60s"})
			check.RequireEqual(w.t, codeOf(w.failure("app")), 504, "a reader is answered")
			advance(time.Minute)
		}, counts{"unavailable": 1}, counts{"unavailable": 1}},
		"storage": {simulator.Fault{}, func(w *testMount) {
			w.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
			read(w)
			w.Storage.Heal()
		}, counts{"error": 1}, counts{"blocked": 1}},
		"rejected":    {simulator.Fault{Kind: simulator.FaultRefuse}, twice, counts{"rejected": 2}, counts{"rejected": 1}},
		"throttled":   {throttled, twice, counts{"throttled": 2}, counts{"throttled": 1}},
		"unavailable": {simulator.Fault{Kind: simulator.FaultUnavailable}, read, counts{"unavailable": 1}, counts{"unavailable": 1}},
		"malformed":   {simulator.Fault{Kind: simulator.FaultGarbage}, read, counts{"malformed": 1}, counts{"malformed": 1}},
	}, func(t *testing.T, c testCase) {
		w := jwtV1().mounted(t)
		check.Equal(t, len(w.scrape().configs()), 0, "series, though there was no read")
		w.Simulator.SetFault("", c.fault)
		c.happens(w)
		now := w.scrape()
		now.counts(t, "reads_total", c.reads)
		now.counts(t, "logins_total", c.logins)
		now.counts(t, "rotations_total", counts{})
		now.durations(t)
		got := w.logins()
		check.True(t, c.logins["blocked"] != 0 || float64(got) == now.samples["login_duration_seconds_count"], "%d logins went upstream", got)
	})
}

func TestMetrics_StartAtZero(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		zero := map[string]float64{}
		for _, kind := range []string{"rejected", "invalid", "throttled", "unavailable", "malformed", "error"} {
			zero[fmt.Sprintf("reads_total{config=%q,result=%q}", "gst", kind)] = 0
			zero[fmt.Sprintf("logins_total{config=%q,result=%q}", "gst", kind)] = 0
		}
		for _, reason := range []string{"rotation", "forced", "rejected"} {
			zero[fmt.Sprintf("rotations_total{config=%q,reason=%q}", "gst", reason)] = 0
		}
		zero[`reads_total{config="gst",result="paused"}`], zero[`reads_total{config="gst",result="cancelled"}`] = 0, 0
		zero["waiting_readers"], zero[`breaker_open{config="gst"}`] = 0, 0
		w.scrape().wants(t, zero)
	})
}

func TestMetrics_CountVerifications(t *testing.T) {
	type testCase struct {
		password      string
		exists, fails bool // the config; its write to storage
		want          map[string]float64
	}
	each(t, map[string]testCase{
		"one that succeeds":                      {"pass-of-clerk", false, false, map[string]float64{"ok": 1}},
		"refused, of a config that is not there": {"another", false, false, map[string]float64{}},
		"refused, of a config that is there":     {"another", true, false, map[string]float64{"rejected": 1}},
		"one whose config cannot be stored":      {"pass-of-clerk", false, true, map[string]float64{}},
	}, func(t *testing.T, c testCase) {
		w := newTestMount(t, jwtAccount())
		if c.exists {
			w.write("config/gst", jwtConfig("verify_connection", false))
		}
		if c.fails {
			w.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
		}
		w.loggingIn(1, func() {
			_, _ = w.do(t.Context(), logical.UpdateOperation, "config/gst", jwtConfig("password", c.password))
		})
		now := w.scrape()
		now.counts(t, "logins_total", c.want)
		now.counts(t, "reads_total", map[string]float64{})
		check.Equal(t, len(now.configs()), min(1, len(c.want)), "configs with series")
	})
}

func TestMetrics_RotationsByReason(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		id := w.read("token/app").Data["token_id"]
		advance(2 * time.Minute)
		w.loggingIn(1, func() {
			_, err := w.tryRead("token/app", map[string]any{"rejected_token_id": id})
			check.NoError(t, err)
		})
		advance(time.Minute)
		w.loggingIn(1, func() { w.write("rotate/gst", nil) })
		w.read("token/app")
		w.loggingIn(1, func() { advance(45 * time.Minute) })
		now := w.scrape()
		now.counts(t, "rotations_total", map[string]float64{"rejected": 1, "forced": 1, "rotation": 1})
		now.counts(t, "logins_total", map[string]float64{"ok": 4})
	})
}

func TestMetrics_WaitingReadersAndLoginDuration(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.slow(700 * time.Millisecond)
		var responses []<-chan asyncResult
		for range 3 {
			responses = append(responses, w.async("token/app"))
		}
		advance(100 * time.Millisecond)
		w.scrape().wants(t, map[string]float64{"waiting_readers": 3})
		for _, response := range responses {
			w.wait(response)
		}
		w.scrape().wants(t, map[string]float64{
			"waiting_readers":                           0,
			`login_duration_seconds_bucket{le="0.5"}`:   0,
			`login_duration_seconds_bucket{le="1"}`:     1,
			`login_duration_seconds_bucket{le="+Inf"}`:  1,
			"login_duration_seconds_count":              1,
			"login_duration_seconds_sum":                0.7,
			`reads_total{config="gst",result="ok"}`:     3,
			`logins_total{config="gst",result="ok"}`:    1,
			`logins_total{config="gst",result="error"}`: 0,
		})
	})
}

func TestMetrics_TokenExpiry(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		const name = `token_expiry_timestamp_seconds{config="gst"}`
		for range 2 {
			ends := moment(t, w.read("token/app").Data, "expires_at")
			w.scrape().wants(t, map[string]float64{name: float64(ends.Unix())})
			advance(41 * time.Minute) // past the rotation
		}
		w.Stop()
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		w.Start()
		w.read("token/app")
		advance(2 * time.Hour)
		value, there := w.scrape().samples[name]
		check.True(t, !there, "%s is %v, long after the token's death", name, value)
	})
}

func TestMetrics_CircuitBreakerOpen(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		const name = `breaker_open{config="gst"}`
		w.scrape().wants(t, map[string]float64{name: 0, `accounts{state="ready"}`: 1})
		w.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "the-new-password" }))
		advance(time.Minute)
		w.refused(logical.UpdateOperation, "rotate/gst", nil)
		open := map[string]float64{name: 1, `accounts{state="rejected"}`: 1, `accounts{state="ready"}`: 0}
		w.scrape().wants(t, open)
		w.Reload()
		synctest.Wait()
		w.scrape().wants(t, open)
		w.write("config/gst", map[string]any{"password": "the-new-password"})
		w.scrape().wants(t, map[string]float64{name: 0, `accounts{state="rejected"}`: 0, `accounts{state="ready"}`: 1})
	})
}

func TestMetrics_AccountsByState(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for _, name := range []string{"refused", "paused", "failing"} {
			w.write("config/"+name, jwtConfig("verify_connection", false))
			w.write("role/"+name, map[string]any{"config": name})
		}
		raw := w.stored()["config/gst"]
		for n := range 100 {
			w.put(fmt.Sprintf("config/idle-%d", n), raw)
		}
		w.read("token/app")
		w.write("config/paused", map[string]any{"paused": true})
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse})
		w.refused(logical.ReadOperation, "token/refused", nil)
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour})
		w.refused(logical.ReadOperation, "token/failing", nil)
		want := map[string]float64{
			`accounts{state="idle"}`: 100, `accounts{state="ready"}`: 1, `accounts{state="rejected"}`: 1,
			`accounts{state="paused"}`: 1, `accounts{state="backing_off"}`: 1,
		}
		w.scrape().wants(t, want)
		w.Reload()
		synctest.Wait()
		w.scrape().wants(t, want)
		got := w.scrape().configs()
		check.Equal(t, got, []string{"gst", "refused"}, "after a restart series of those with a token or a breaker that is open")
	})
}

func TestMetrics_BuildInfoOfEachMount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		factory := mastersindia.Factory(mastersindia.Options{Version: "v1.2.3", Commit: "0123456789ab"})
		b, err := factory(t.Context(), &logical.BackendConfig{StorageView: &logical.InmemStorage{}, System: &logical.StaticSystemView{}})
		check.NoError(t, err)
		resp, err := b.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "metrics"})
		check.NoError(t, err)
		one, other := jwtV1().mounted(t), oauth().mounted(t)
		one.read("token/app")
		one.read("token/app")
		other.read("token/app")
		bare := scrapeOf(t, resp)
		bare.wants(t, map[string]float64{`build_info{commit="0123456789ab",version="v1.2.3"}`: 1, `accounts{state="idle"}`: 0})
		got := bare.configs()
		check.True(t, len(got) == 0, "an empty mount has series of %v", got)
		for w, reads := range map[*testMount]float64{one: 2, other: 1} {
			w.scrape().wants(t, map[string]float64{
				`reads_total{config="gst",result="ok"}`: reads, "login_duration_seconds_count": 1, `accounts{state="ready"}`: 1,
			})
		}
	})
}

func TestMetrics_PromtoolLint(t *testing.T) {
	mountTest(t, jwtV2(), func(t *testing.T, w *testMount) {
		w.collectMessages(jwtV2())
		now := w.scrape()
		problems, err := promlint.New(strings.NewReader(now.text)).Lint()
		check.NoError(t, err)
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		counters := now.countersOnly(t)
		check.True(t, len(counters) >= 20, "only %d counters", len(counters))
		for _, own := range []string{"go_goroutines", "process_resident_memory_bytes", "process_start_time_seconds"} {
			check.True(t, now.samples[own] != 0, "no %s", own)
		}
	})
}

func TestMetrics_CountersNeverDecrease(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		before := w.scrape()
		later := func(d time.Duration) {
			t.Helper()
			for range int(d / (20 * time.Minute)) {
				advance(20 * time.Minute)
				w.minute()
			}
			now := w.scrape()
			now.notBehind(t, before)
			before = now
		}
		for day := range 7 {
			w.read("token/app")
			later(3 * time.Hour)
			w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultUnavailable})
			later(2 * time.Hour)
			w.refused(logical.ReadOperation, "token/app", nil)
			w.Simulator.SetFault("", simulator.Fault{})
			later(2 * time.Hour)
			w.read("token/app")
			w.write("config/gst", map[string]any{"headers": fmt.Sprintf("X-Day=%d", day)})
			later(time.Hour)
			w.write("config/gst", with(oauth().onlySecrets(), "token_url", fmt.Sprintf("%s/oauth/access_token?day=%d", upstreamURL, day)))
			w.write("revoke/gst", nil)
			w.Backend().InvalidateKey(t.Context(), "config/gst")
			later(16 * time.Hour)
		}
		n := before.counted("logins_total")
		check.True(t, n["ok"] >= 14 && n["unavailable"] >= 7, "the week was too quiet to prove anything: %v", n)
	})
}

func TestMetrics_DeletedConfigHasNoSeries(t *testing.T) {
	gone := func(w *testMount) {
		w.t.Helper()
		synctest.Wait()
		check.Equal(w.t, len(w.scrape().configs()), 0, "series of a deleted config")
	}
	remove := func(w *testMount) { w.remove("config/gst"); gone(w) }
	each(t, map[string]func(w *testMount){
		"here": remove,
		"while a reader waits for its login": func(w *testMount) {
			w.slow(5 * time.Second)
			advance(24 * time.Hour)
			response := w.async("token/app")
			advance(time.Second)
			remove(w)
			w.wait(response)
			advance(time.Minute)
		},
		"while the record of its login is being stored": func(w *testMount) {
			response := w.asyncRequest(w.t.Context(), logical.UpdateOperation, "rotate/gst", nil)
			w.remove("config/gst")
			w.wait(response)
		},
		"on another cluster": func(w *testMount) {
			check.NoError(w.t, w.Storage.Entries.Delete(w.t.Context(), "config/gst"))
			w.Backend().InvalidateKey(w.t.Context(), "config/gst")
		},
	}, func(t *testing.T, happens func(w *testMount)) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		check.RequireEqual(t, w.scrape().configs(), []string{"gst"}, "series")
		advance(time.Minute)
		happens(w)
		gone(w)
		w.refused(logical.ReadOperation, "token/app", nil)
		gone(w)
		w.scrape().wants(t, map[string]float64{`accounts{state="ready"}`: 0, `accounts{state="idle"}`: 0})
		w.mount(jwtV1())
		w.read("token/app")
		w.scrape().counts(t, "reads_total", map[string]float64{"ok": 1})
	})
}

func TestMetrics_ScrapeCostsOneList(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.write("config/other", jwtConfig("verify_connection", false))
		w.read("token/app")
		w.Reload()
		synctest.Wait()
		before := len(w.Storage.Accesses())
		w.idle(func() { w.scrape() })
		check.Equal(t, w.Storage.Accesses()[before:], []string{"list config/"}, "storage was asked for")
		w.Storage.Fail(mounttest.List, "config/", mounttest.ErrStorage())
		r := w.refusal(logical.ReadOperation, "metrics", nil)
		check.True(t, r.status == 500, "with a storage that is broken: %v", r)
	})
}

func TestMetrics_HelpShowsCommand(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		w.badRequest(logical.ReadOperation, "metrics", map[string]any{"format": "canary"}, "format", "takes no parameters")
		resp, err := w.do(t.Context(), logical.HelpOperation, "metrics", nil)
		check.NoError(t, err)
		w.says(text(t, resp.Data, "help"), "$ vault read -format=raw mastersindia/metrics", "_other", "Prometheus")
		got := w.document().Paths["/metrics"].Get.Responses[200].Description
		check.True(t, got == "Metrics.", "the document says %q of the response", got)
	})
}

// After a write elsewhere, metrics and list say what is known of an account late in a long list, until it is read again.
func TestMetrics_WriteElsewhereHidesNoBreaker(t *testing.T) {
	each(t, map[string]bool{"rejected": true, "ready": false}, func(t *testing.T, refused bool) {
		s := newClusters(t, time.Hour)
		for n := range 300 {
			s.elsewhere(fmt.Sprintf("config/a-%03d", n), jwtConfig("verify_connection", false))
		}
		known, state := "token_expiry_timestamp_seconds", "ready"
		if refused {
			s.changePassword()
			known, state = "breaker_open", "rejected"
		}
		_, _ = s.ask(t.Context(), "app", nil)
		for _, when := range []string{"before", "after a write elsewhere"} {
			now := s.scrape()
			check.True(t, now.samples[known+`{config="gst"}`] != 0, "%s: no %s", when, known)
			check.Equal(t, now.samples[`accounts{state="`+state+`"}`], 1, "%s: %s accounts", when, state)
			check.Equal[any](t, s.listed("status/", "gst")["state"], state, "%s: list status/ says", when)
			s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		}
	})
}

// A rotation is under way when another cluster writes a field that has nothing to do with the login. It counts as any other.
func TestMetrics_LoginThatEndsAfterAWriteElsewhereCounts(t *testing.T) {
	eachNamed(t, map[string]simulator.Fault{
		"ok":          {Kind: simulator.FaultSlow, Delay: 10 * time.Second},
		"unavailable": {Kind: simulator.FaultUnavailable, Delay: 10 * time.Second},
	}, func(t *testing.T, result string, fault simulator.Fault) {
		s := newClusters(t, time.Hour)
		s.token("app")
		advance(39 * time.Minute)
		before := s.scrape().of("logins_total")[`{config="gst",result="`+result+`"}`]
		s.Simulator.SetFault(simulator.JWT, fault)
		s.waitUntil("the rotation", func() bool { return s.logins() == 2 })
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		advance(12 * time.Second)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		check.Equal(t, s.scrape().of("logins_total")[`{config="gst",result="`+result+`"}`], before+1, "logins_total says")
		got := count(t, s.status(), "logins")
		check.True(t, got == "2", "status/ counts %s logins, want 2", got)
	})
}

// The account cannot even be loaded: monitoring sees the reads that fail nevertheless.
func TestMetrics_ReadsOfUnloadedAccountFail(t *testing.T) {
	each(t, map[string]func(*testMount){
		"damaged record": func(s *testMount) { s.put("token/gst", `{"schema":1,`) },
		"damaged config": func(s *testMount) { s.put("config/gst", `{"schema":1,`) },
		"no record":      func(s *testMount) { s.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage()) },
		"no config":      func(s *testMount) { s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage()) },
	}, func(t *testing.T, spoil func(*testMount)) {
		s := gstMount(t, time.Hour)
		s.token("app")
		advance(time.Second)
		s.Stop()
		spoil(s)
		s.Start()
		for range 10 {
			s.failed("app")
		}
		reads := s.scrape().counted("reads_total")
		check.True(t, reads["error"] == 10, "reads_total %v after ten reads that failed", reads)
	})
}

func TestMetrics_ReadsFailWhileStorageGivesNothing(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Reload()
		s.token("app")
		s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage())
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		for range 3 {
			s.refused(logical.ReadOperation, "token/app", nil)
		}
		reads := s.scrape().counted("reads_total")
		check.True(t, reads["error"] == 3, "reads_total %v after three reads that failed with the storage's error", reads)
		s.Storage.Heal()
	})
}
