// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// wrong is the fixture's config with another one of its secrets.
func (f fixture) wrong() map[string]any {
	name := slices.IndexFunc(secretFields(), func(name string) bool { return f.config[name] != nil })
	return with(f.config, secretFields()[name], "canary-of-a-wrong-secret")
}

func TestConfigVerify_RefusedCredentialsNotStored(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := newTestMount(t, f.account)
		var r refusal
		w.loggingIn(1, func() { r = w.upstreamRefusal(logical.UpdateOperation, "config/gst", f.wrong(), http.StatusBadRequest) })
		w.says(r.message, "gst", "verify_connection=false")
		w.hides(r.message, append(canaries(f.wrong()), f.secrets()...)...)
		w.wantRefusedLogins(1)
		check.Equal(t, len(w.storedUnder("config/")), 0, "entries under config/")
		for key, value := range w.stored() {
			w.hides(key+" "+value, canaries(f.wrong())...)
		}
		w.wantAbsent("config/gst")
		w.loggingIn(1, func() { w.write("config/gst", f.config) }) // the right ones are tried at once
		w.write("role/app", map[string]any{"config": "gst"})
		w.Reload()
		w.quiet(w.wantLiveToken)
	})
}

// An upstream that is down or throttles is no fault of the write.
func TestConfigVerify_BlamesOnlyTypedFields(t *testing.T) {
	eachNamed(t, map[simulator.FaultKind]string{
		simulator.FaultThrottled:   "; write again later, or store it without verification",
		simulator.FaultUnavailable: "; write again later, or store it without verification",
		simulator.FaultDown:        "; check the host and port of token_url, and the proxy if there is one, and write again, or store it without verification",
	}, func(t *testing.T, kind simulator.FaultKind, want string) {
		s := newTestMount(t, jwtAccount(withTTL(time.Hour)))
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind})
		s.says(s.refused(logical.UpdateOperation, "config/gst", jwtConfig()), want)
	})
}

// The credentials were refused for want of a header: they are not sent again, and the message says how to log in with it.
func TestConfigVerify_OtherSettingsAfterRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := latam()
		s := newTestMount(t, f.account)
		s.says(s.refused(logical.UpdateOperation, "config/gst", without(f.config, "headers")), "correct the credentials")
		advance(time.Minute)
		said := s.upstreamRefusal(logical.UpdateOperation, "config/gst", f.config, http.StatusBadRequest).message
		s.says(said, "these credentials were not sent again", "write again with verify_connection=false", "vault write -f mastersindia/rotate/gst")
		check.True(t, s.Simulator.Counters().Logins == 1, "they were sent again")
		check.True(t, !strings.Contains(said, "same login"), "the login is another one: %s", said)
		s.write("config/gst", with(f.config, "verify_connection", false))
		s.mustRotate()
		s.wantState("ready")
	})
}

// Else a revocation would send refresh tokens of production to the vendor's test host.
func TestConfigVerify_WarnsOfForeignRefreshURL(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		preset := map[string]any{"preset": "ksa-qa", "username": "u", "password": "p", "verify_connection": false}
		moved := with(preset, "token_url", "https://login.example/api/v2/token-auth/")
		for n, write := range []struct {
			data   map[string]any
			warned bool
		}{
			{preset, false},
			{moved, true},
			{map[string]any{"rotation_percent": 70}, false},
			{with(moved, "refresh_url", "https://LOGIN.example:8443/refresh/"), false},
			{with(moved, "refresh_url", ""), false},
		} {
			said := warningsOf(w.write("config/ksa", write.data))
			check.Equal(t, strings.Contains(said, "refresh_url is on a different host"), write.warned, "write %d: warned", n)
		}
	})
}

// TestConfigVerify_PlainServerAtHTTPSURL types https for a server that speaks http: what is wrong is the URL.
func TestConfigVerify_PlainServerAtHTTPSURL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestMount(t, jwtAccount(withTTL(time.Hour)))
		url := strings.Replace(upstreamURL, "http:", "https:", 1) + "/api/v1/token-auth/"
		config := jwtConfig("token_url", url)
		s.says(s.refused(logical.UpdateOperation, "config/gst", config),
			"does not speak TLS", "http:// (with allow_http=true)", "check the host and port of token_url", "ca_cert=@ca.pem")
		s.write("config/gst", with(config, "verify_connection", false))
		s.write("role/app", map[string]any{"config": "gst"})
		s.says(s.refused(logical.ReadOperation, "token/app", nil),
			"does not speak TLS", "check the host and port of token_url", "vault write mastersindia/config/gst ca_cert=@ca.pem")
	})
}

func TestConfigVerify_TLSServerAtHTTPURL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ca, err := simulator.NewCA()
		check.NoError(t, err)
		s := overTLS(t, ca)
		said := s.refused(logical.UpdateOperation, "config/new", jwtConfig("token_url", upstreamURL+"/api/v1/token-auth/"))
		s.says(said, "the port expects TLS: write the URL with https://", "HTTP 400", "check that token_url is the login endpoint")
	})
}

func TestConfigVerify_RefusedUpdateChangesNothing(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t, "verify_connection", true)
		before, token := w.storedUnder("config/"), w.read("token/app").Data["token_id"]
		w.loggingIn(1, func() {
			r := w.upstreamRefusal(logical.UpdateOperation, "config/gst", f.wrong(), http.StatusBadRequest)
			w.says(r.message, "gst", "verify_connection=false")
		})
		keys := differing(before, w.storedUnder("config/"))
		check.True(t, len(keys) == 0, "storage has changed at %q", keys)
		w.quiet(func() {
			w.wantServed(token)
			w.wantState("ready")
		})
	})
}

func TestConfigVerify_SameSecretsNotRetried(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := newTestMount(t, f.account)
		w.refusal(logical.UpdateOperation, "config/gst", f.wrong())
		for n := range 14 {
			w.reloadIf(n%5 == 1)
			w.quiet(func() {
				r := w.upstreamRefusal(logical.UpdateOperation, "config/gst", f.wrong(), http.StatusBadRequest)
				w.says(r.message, "verify_connection=false")
				w.hides(r.message, canaries(f.wrong())...)
			})
			advance(time.Minute)
		}
		// Stored untried, they are still known to be refused, until the backoff is over.
		w.quiet(func() {
			w.write("config/gst", with(f.wrong(), "verify_connection", false))
			w.write("role/app", map[string]any{"config": "gst"})
			w.refusal(logical.ReadOperation, "token/app", nil)
		})
		w.loggingIn(1, func() {
			advance(time.Minute)
			w.refusal(logical.ReadOperation, "token/app", nil)
		})
	})
}

func TestConfigVerify_UpstreamDownStoresNothing(t *testing.T) {
	type testCase struct {
		fault  simulator.Fault
		status []int
	}
	eachPair(t, fixtures(), []testCase{
		{simulator.Fault{Kind: simulator.FaultDown}, []int{502}},
		{simulator.Fault{Kind: simulator.FaultSlow, Delay: 20 * time.Second}, []int{504}},
		{simulator.Fault{Kind: simulator.FaultUnavailable}, []int{502}},
		{simulator.Fault{Kind: simulator.FaultUnavailable, RetryAfter: time.Minute}, []int{429}},
		{simulator.Fault{Kind: simulator.FaultThrottled}, []int{429}},
		{simulator.Fault{Kind: simulator.FaultHTML}, []int{502, 504}},
		{simulator.Fault{Kind: simulator.FaultCut}, []int{502}},
		{simulator.Fault{Kind: simulator.FaultGarbage}, []int{502}},
		{simulator.Fault{Kind: simulator.FaultEmpty}, []int{502}},
		{simulator.Fault{Kind: simulator.FaultRedirect, RedirectTo: upstreamURL + "/elsewhere/"}, []int{502}},
	}, func(t *testing.T, f fixture, c testCase) {
		w := newTestMount(t, f.account)
		w.Simulator.SetFault("", c.fault)
		w.loggingIn(1, func() {
			r := w.upstreamRefusal(logical.UpdateOperation, "config/gst", f.config, c.status...)
			w.says(r.message, "gst", "verify_connection=false")
			w.hides(r.message, f.secrets()...)
		})
		check.Equal(t, len(w.storedUnder("config/")), 0, "entries under config/")
		for _, r := range w.heard() {
			check.True(t, !strings.Contains(r.URL, "/elsewhere/"), "a redirect was followed")
		}
	})
}

func TestConfigVerify_UntriedSecretsUsedLater(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		for name := range f.onlySecrets() {
			w := f.mounted(t, "verify_connection", true)
			old := w.read("token/app").Data["token_id"]
			w.Simulator.SetAccount(f.accountWith(t, name, "secret-two"))
			w.quiet(func() { w.write("config/gst", map[string]any{name: "secret-two", "verify_connection": false}) })
			w.loggingIn(1, func() {
				check.True(t, w.read("token/app").Data["token_id"] != old, "the token of the old %s is served", name)
			})
		}
	})
}

// A secret that is shorter than HS256 requires is accepted with a single warning.
func TestAssertion_ShortSecretWarns(t *testing.T) {
	t.Parallel()
	timed(t, "short, long and short again", func(t *testing.T) {
		short := assertion()
		short.account.ClientSecret = "secret-of-emea-app"
		short.config = with(short.config, "client_secret", short.account.ClientSecret)
		w := newTestMount(t, short.account)
		warned := func(data map[string]any) bool {
			resp := w.write("config/gst", data)
			return resp != nil && len(resp.Warnings) == 1 && strings.Contains(resp.Warnings[0], "client_secret has fewer than 32 bytes")
		}
		check.True(t, warned(short.config), "no warning of a short secret")
		w.wantLogins(1)
		check.True(t, !warned(map[string]any{"rotation_percent": 70}), "a write that has nothing to do with the secret warns of it")
		w.Simulator.SetAccount(assertion().account)
		check.True(t, !warned(assertion().onlySecrets()), "a warning of a secret of 40 bytes")
		w.Simulator.SetAccount(short.account)
		check.True(t, warned(short.onlySecrets()), "no warning of a short secret that replaces a long one")
	})
	timed(t, "not where nothing is signed", func(t *testing.T) {
		w := newTestMount(t, firstVision().account)
		check.Equal(t, warningsOf(w.write("config/gst", firstVision().config)), "", "warnings")
	})
}

// The audience is part of what a login sends: a change of it is verified, and a wrong one is not stored.
func TestAssertion_ChangeOfTheAudienceIsVerified(t *testing.T) {
	mountTest(t, assertion(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		said := ""
		w.loggingIn(1, func() {
			said = w.refusal(logical.UpdateOperation, "config/gst", map[string]any{"assertion_audience": "https://wrong.example/token"}).message
		})
		w.says(said, "was not stored", "API-Sec-003")
		check.Equal(t, w.read("config/gst").Data["assertion_audience"], assertionAudience, "assertion_audience")
		w.quiet(func() { w.write("config/gst", map[string]any{"assertion_audience": assertionAudience}) })
	})
}

// What only one request format uses goes with it.
func TestConfig_FormatChangeDropsUnusedFields(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := assertion().unserved(t)
		write := func(data map[string]any) map[string]any {
			w.write("config/gst", with(data, "verify_connection", false))
			return w.read("config/gst").Data
		}
		if data := write(with(assertion().onlySecrets(), "request_format", "json")); data["assertion_audience"] != "" || data["scope"] != "emea_firstvision" {
			t.Errorf("assertion_audience is %v, scope %v", data["assertion_audience"], data["scope"])
		}
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"request_format": "assertion"},
			"assertion_audience", "is required by protocol firstvision with request_format=assertion")
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"assertion_audience": "canary"},
			"assertion_audience", "is not used by protocol firstvision with request_format=json")
		data := write(map[string]any{"request_format": "form", "scope": ""})
		check.True(t, data["scope"] == "", "scope is %v", data["scope"])
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"request_format": "json"},
			"scope", "is required by protocol firstvision with request_format=json")
	})
}

// A write that asks for a verification, and changes nothing that a login sends, says that there was none.
func TestConfigVerify_SaysThatNoLoginWasMade(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		for _, data := range []map[string]any{{"rotation_percent": 66}, {"ledger_retention": "1h"}} {
			s.quiet(func() {
				check.Contains(t, warningsOf(s.write("config/gst", with(data, "verify_connection", true))),
					"No login was made", "vault write -f mastersindia/rotate/gst")
				check.Equal(t, warningsOf(s.write("config/gst", data)), "", "warnings, where no login was asked for")
			})
		}
		s.loggingIn(1, func() {
			said := warningsOf(s.write("config/gst", map[string]any{"verify_connection": true, "headers": "X-Branch=1"}))
			check.Equal(t, said, "", "warnings of a login that was made")
		})
	})
}

// TestConfigVerify_HoldsUpNoStepDown has a verification hang: Vault cancels the request as it steps down, and waits for it.
func TestConfigVerify_HoldsUpNoStepDown(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, inFlight bool) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		if inFlight {
			reader := s.async("token/app")
			defer s.wait(reader)
			advance(50 * time.Second) // of the 60 s of the login in flight
		}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(12*time.Second, cancel)
		_, err := s.do(ctx, logical.UpdateOperation, "config/gst", branch("7"))
		waited := time.Since(began)
		check.True(t, waited <= 30*time.Second, "config/gst has held up step-down for %s (%v)", waited, err)
		advance(2 * time.Minute)
	})
}

// A verification with the stored password fails. Its hold is one for readers too.
func TestConfigVerify_FailureHoldsLogins(t *testing.T) {
	throttled := func(d time.Duration) simulator.Fault {
		return simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: d, Remaining: 1}
	}
	type testCase struct {
		refused bool          // the upstream has another password
		probe   time.Duration // after a first refusal; 0 is none
		fault   simulator.Fault
		hold    time.Duration
		code    int // of readers meanwhile; 0 is any
	}
	eachRestart(t, map[string]testCase{
		"throttled":          {false, 0, throttled(10 * time.Minute), 9 * time.Minute, http.StatusTooManyRequests},
		"refused":            {true, 0, simulator.Fault{}, 14 * time.Minute, http.StatusBadRequest},
		"a probe, refused":   {true, 2 * time.Hour, simulator.Fault{}, 50 * time.Minute, http.StatusBadRequest},
		"a probe, throttled": {true, 20 * time.Minute, throttled(time.Hour), 59 * time.Minute, 0},
		"a probe, down":      {true, 20 * time.Minute, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1}, 59 * time.Minute, 0},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, time.Hour)
		if c.refused {
			s.changePassword()
		}
		if c.probe > 0 {
			s.failed("app")
			advance(c.probe)
		}
		s.Simulator.SetFault(simulator.JWT, c.fault)
		before := s.logins()
		s.refusal(logical.UpdateOperation, "config/gst", branch("7"))
		s.wantLogins(before+1, "by the verification")
		s.reloadIf(restart)
		for range c.hold / time.Minute {
			advance(time.Minute)
			err := s.failure("app")
			check.True(t, c.code == 0 || codeOf(err) == c.code, "a reader got %d (%v), want %d", codeOf(err), err, c.code)
		}
		s.wantLogins(before+1, "while the hold runs")
		if !c.refused {
			advance(2 * time.Minute)
			s.token("app")
		}
	})
}

// Deleting a throttled config and writing it again brings the next login no nearer.
func TestThrottled_HoldsAfterDeletion(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, verified bool) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute})
		s.failed("app")
		s.wantLogins(1, "that was throttled")
		s.remove("config/gst")
		_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", jwtConfig("verify_connection", verified))
		s.failed("app")
		s.wantLogins(1, "while the Retry-After runs")
	})
}

func TestConfig_UnverifiedWriteDuringHold(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		change := map[string]any{"headers": map[string]any{"X-Site": "7"}}
		r := s.refusal(logical.UpdateOperation, "config/gst", change)
		s.says(r.message, "verify_connection=false", "reads are served a token now, and would then fail")
		warnings := warningsOf(s.write("config/gst", with(change, "verify_connection", false)))
		s.says(warnings, "none is made yet", "reads fail", "next attempt at 2000-01-01T00:30:0")
		check.True(t, !strings.Contains(warnings, "next read logs in"), "the warning promises a login")
		s.quiet(func() { s.failed("app") })
	})
}

// A password that a verification has found refused is refused from memory.
func TestConfigVerify_RefusedPasswordSentOnce(t *testing.T) {
	refuse := func(s *testMount, data ...any) {
		s.refused(logical.UpdateOperation, "config/gst", with(nil, data...))
		advance(10 * time.Second)
	}
	headers := func(n int) map[string]any { return map[string]any{"X-Branch": strconv.Itoa(n)} }
	down := simulator.Fault{Kind: simulator.FaultDown}
	type testCase struct {
		passwords int
		happens   func(s *testMount)
	}
	each(t, map[string]testCase{
		"two in turns": {2, func(s *testMount) {
			for range 5 {
				refuse(s, "password", "mistyped")
				refuse(s, "password", "mistyped-too")
			}
		}},
		"restarts": {1, func(s *testMount) {
			for range 4 {
				refuse(s, "password", "mistyped")
				s.Reload()
			}
		}},
		"other headers after outages": {1, func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, down)
			for n := range 3 {
				refuse(s, "password", "mistyped", "headers", headers(n))
			}
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
			advance(time.Minute)
			for _, n := range []int{3, 0, 1, 2} {
				refuse(s, "password", "mistyped", "headers", headers(n))
			}
		}},
		"sixteen outages": {1, func(s *testMount) {
			refuse(s, "password", "mistyped")
			s.Simulator.SetFault(simulator.JWT, down)
			for n := range 16 {
				refuse(s, "headers", headers(n))
			}
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
			refuse(s, "password", "mistyped")
		}},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.token("app")
		c.happens(s)
		s.wantRefusedLogins(c.passwords)
	})
}

func TestConfigVerify_ProbeCutOffByCrash(t *testing.T) {
	each(t, map[string]bool{"a new config": false, "another password": true}, func(t *testing.T, exists bool) {
		s := newLatencyMount(t, jwtAccount())
		s.EveryMinute()
		wrong := jwtConfig("password", "mistyped")
		if exists {
			s.write("config/gst", jwtConfig("verify_connection", false))
		}
		_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
		advance(16 * time.Minute)
		release := s.Upstream.Hold()
		go func() { _, _, _ = s.Do(t.Context(), logical.UpdateOperation, "config/gst", wrong) }()
		advance(time.Second)
		s.wantLogins(2, "(the second is the probe)")
		s.Crash()
		release()
		advance(time.Minute)
		_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
		s.wantLogins(2, "a minute after the probe")
	})
}

// goneWrite sends a write whose caller goes before the upstream has responded.
func (w *testMount) goneWrite(data map[string]any) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	_, err := w.do(ctx, logical.UpdateOperation, "config/gst", data)
	check.Require(w.t, err != nil, "the write has succeeded")
}

// TestConfigVerify_OneLoginAfterCallerIsGone reads while the login goes on that a write has begun.
func TestConfigVerify_OneLoginAfterCallerIsGone(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.write("config/gst", map[string]any{"request_timeout": "60s"})
		s.slow(40 * time.Second)
		s.goneWrite(branch("7"))
		check.True(t, s.failure("app") != nil, "a token is read")
		advance(time.Minute)
		s.slow(0)
		s.token("app")
		s.wantLogins(2, "the write's and the reader's")
		check.Equal(t, s.Upstream.MostInFlight(""), 1, "logins of one account in flight at once")
	})
}

// TestConfigVerify_RefusalAfterCallerIsGone has a client that waits for a short time only write a wrong password again and again.
func TestConfigVerify_RefusalAfterCallerIsGone(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.write("config/gst", map[string]any{"request_timeout": "60s"})
		s.slow(20 * time.Second)
		for range 10 {
			s.goneWrite(map[string]any{"password": "wrong-password"})
			advance(time.Minute)
		}
		check.Equal(t, s.Simulator.Counters().LoginsRefused, 1, "refused logins")
	})
}

// TestConfigVerify_SessionAfterCallerIsGone has that login end the session of the account.
func TestConfigVerify_SessionAfterCallerIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour), func(a *simulator.Account) { a.SingleSession = true }))
		s.write("config/gst", jwtConfig("verify_connection", false, "rotation_percent", 100, "request_timeout", "60s"))
		s.write("role/app", map[string]any{"config": "gst"})
		s.EveryMinute()
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultSlow, Delay: 25 * time.Second, On: simulator.OnLogin, Remaining: 1})
		s.goneWrite(branch("7"))
		check.True(t, s.Simulator.TokenAlive(s.token("app").access), "a dead token is read")
		advance(10 * time.Minute)
		s.wantNoDeadToken("the login of a write whose caller is gone")
	})
}

// A write that verifies is answered as a success although the upstream gave a revoked token, which reads then do not get.
func TestConfigVerify_WarnsOfARevokedToken(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":86400}`)
		s.token("app")
		s.write("revoke/gst", nil)
		advance(time.Hour)
		s.says(warningsOf(s.write("config/gst", branch("7"))), "was revoked here, and is not served", "vault write -f mastersindia/rotate/gst")
		_, err := s.ask(t.Context(), "app", nil)
		check.True(t, err != nil, "a revoked token is served")
	})
}

// A verification brings the current token again, which is about to end. It was never revoked.
func TestConfigVerify_TokenAboutToEnd(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		s.token("app")
		advance(time.Hour - 3*time.Second)
		warned := warningsOf(s.write("config/gst", branch("7")))
		check.True(t, !strings.Contains(warned, "revoked"), "no token was ever revoked, and it warns: %s", warned)
	})
}

func TestConfigVerify_SaysWhatItMet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := refusedMount(t)
		advance(16 * time.Minute)
		s.unresolved("upstream.test")
		r := s.refusal(logical.UpdateOperation, "config/gst", branch("7"))
		s.wantLogins(1, "the refused one")
		check.True(t, !strings.Contains(r.message, "its login failed: upstream refused the credentials"),
			"of a login that never reached the upstream it is said: %s", r.message)
	})
}

// The record of a failed verification of a config that was never stored goes with its hold.
func TestConfigVerify_RecordOfNoConfigGoes(t *testing.T) {
	each(t, map[string]simulator.Fault{
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Second}, "refused": {Kind: simulator.FaultRefuse},
	}, func(t *testing.T, fault simulator.Fault) {
		s := newTestMount(t, jwtAccount())
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, fault)
		s.refused(logical.UpdateOperation, "config/gst", jwtConfig())
		check.Require(t, len(s.storedUnder("token/")) == 1, "stored: %v", s.storedUnder("token/"))
		for range 2 {
			advance(4 * 24 * time.Hour)
			check.Equal(t, len(s.storedUnder("token/")), 0, "entries under token/")
			s.Reload()
		}
	})
}

// A write whose verification waits for settings that storage does not give ends, and overwrites nothing unseen.
func TestConfigVerify_BoundedWhileSettingsCannotBeRead(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		caught, release := s.Storage.HoldNextPut("token/gst")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, _, err := s.Do(ctx, logical.UpdateOperation, "config/gst", branch("7"))
			ended <- err
		}()
		<-caught
		s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage())
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		synctest.Wait()
		release()
		advance(10 * time.Minute)
		check.Require(t, len(ended) == 1, "the write hangs for ten minutes")
		err := <-ended
		check.Require(t, err != nil, "the write has stored what it could not compare")
		check.Contains(t, err.Error(), mounttest.ErrStorage().Error())
	})
}
