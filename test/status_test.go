// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// With a token that is good for long, a login may be tried again at once, and none is due.
func TestStatus_RotationAndNextAttemptDiffer(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultUnavailable})
		_ = s.failedRotate()
		status := s.status()
		message, rotates := fmt.Sprint(status["message"]), fmt.Sprint(status["rotates_at"])
		check.Require(t, rotates != fmt.Sprint(status["next_attempt_at"]), "next_attempt_at too is %s: this tests nothing", rotates)
		want := "no login is due before that token's rotation, at " + rotates + ", unless an API refuses it"
		check.True(t, strings.Contains(message, want) && !strings.Contains(message, "next attempt"),
			"the message is %q, want %q in it, and no attempt, which next_attempt_at has", message, want)
	})
}

// The token is not read, so it is not replaced at its time.
func TestStatus_RotationOfUnusedToken(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.mustRotate()
		advance(11 * time.Second)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultUnavailable})
		_ = s.failedRotate()
		advance(40 * time.Minute)
		s.wantLogins(2)
		s.says(text(t, s.status(), "message"), "reads are served the token", "next attempt with the next read")
	})
}

func TestStatus_StatesOfAccount(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		state := s.wantState
		if got := state("idle"); got["token_id"] != "" || fmt.Sprint(got["in_use"]) != "false" || got["logins"] != int64(0) {
			t.Errorf("idle: %v", got)
		}
		a := s.token("app")
		got := state("ready")
		want := map[string]any{
			"token_id": a.id, "issued_at": a.issued.Format(time.RFC3339), "expires_at": a.expires.Format(time.RFC3339),
			"rotates_at": a.issued.Add(time.Hour * 66 / 100).Format(time.RFC3339), "in_use": true,
			"last_read_at": a.issued.Format(time.RFC3339), "last_login_at": a.issued.Format(time.RFC3339),
			"last_error": "", "last_error_kind": "", "consecutive_failures": 0, "next_attempt_at": "",
			"clock_skew_seconds": int64(0), "can_revoke_upstream": false,
			"logins": int64(1), "login_failures": int64(0), "reads": int64(1),
		}
		for field, value := range want {
			check.True(t, fmt.Sprint(got[field]) == fmt.Sprint(value), "%s is %v, want %v", field, got[field], value)
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		advance(45 * time.Minute)
		got = state("backing_off")
		check.True(t, got["token_id"] == a.id && got["consecutive_failures"] != 0 && got["last_error_kind"] == "unavailable",
			"backing off: %v", got)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
		advance(2 * time.Minute)
		got = state("rejected")
		check.True(t, got["last_error_kind"] == "rejected" && got["next_attempt_at"] != "", "rejected: %v", got)
		s.write("config/gst", map[string]any{"paused": true})
		got = state("paused")
		check.True(t, got["last_error_kind"] == "rejected" && got["next_attempt_at"] == "", "paused: %v", got)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.write("config/gst", map[string]any{"paused": false})
		advance(time.Minute) // else it may get the refusal, which is that new
		s.mustRotate()
		state("ready")
		s.wantAbsent("status/none")
		logins := s.logins()
		for range 100 {
			s.status()
		}
		check.True(t, s.logins() == logins, "status has logged in")
	})
}

func TestStatus_CountsSinceStart(t *testing.T) {
	gstTest(t, 15*time.Minute, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		const reads = 10
		for range reads {
			s.token("app")
			advance(time.Second)
		}
		advance(24 * time.Hour) // long since idle
		got := s.status()
		if got["reads"] != int64(reads) || got["logins"] != int64(s.logins()) {
			t.Errorf("after a day without reads, reads is %v and logins is %v; want %d and %d, as since the process started",
				got["reads"], got["logins"], reads, s.logins())
		}
	})
}

func TestStatusList_HasEveryFault(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		for _, name := range []string{"paused", "refused", "idle"} {
			s.write("config/"+name, jwtConfig("verify_connection", false))
			s.write("role/"+name, map[string]any{"config": name})
		}
		s.write("config/paused", map[string]any{"paused": true, "pause_reason": "moving house"})
		s.token("app")
		s.changePassword()
		s.failed("refused")
		for _, restart := range []func(){func() {}, s.Reload, func() {
			s.Storage.Fail(mounttest.List, "token/", mounttest.ErrStorage())
			s.Reload()
		}} {
			restart()
			resp := s.list("status/")
			check.Equal(t, fmt.Sprint(resp.Data["keys"]), "[gst idle paused refused]", "keys")
			info, _ := resp.Data["key_info"].(map[string]any)
			for name, state := range map[string]string{"gst": "ready", "idle": "idle", "paused": "paused", "refused": "rejected"} {
				facts, _ := info[name].(map[string]any)
				check.True(t, facts["state"] == state && facts["message"] != "", "%s: %v, want state %s and a message", name, facts, state)
			}
		}
	})
}

// The engine has yet to read an account late in a long list: it is not said to have no token.
func TestStatusList_JustRestarted(t *testing.T) {
	type testCase struct {
		fault func(w *testMount)
		heals bool
		want  any // state
	}
	each(t, map[string]testCase{
		"storage is slow":    {func(w *testMount) { w.Storage.Slow(mounttest.Get, "token/", time.Second) }, false, "ready"},
		"storage fails":      {func(w *testMount) { w.Storage.Fail(mounttest.Get, "token/gst", mounttest.ErrStorage()) }, false, nil},
		"storage has failed": {func(w *testMount) { w.Storage.Fail(mounttest.Get, "token/gst", mounttest.ErrStorage()) }, true, "ready"},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		for n := range 300 {
			s.write(fmt.Sprintf("config/a-%03d", n), jwtConfig("verify_connection", false))
		}
		s.token("app")
		s.Stop()
		c.fault(s)
		s.Start()
		synctest.Wait()
		if c.heals {
			s.Storage.Heal()
		}
		check.Equal(t, s.listed("status/", "gst")["state"], c.want, "of an account with a token list status/ says")
	})
}

// A config is deleted and written again, which starts its counts anew, on another cluster as here.
func TestStatus_RecreatedElsewhereCountsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(5 * time.Hour) // it is rotated, expires, and leaves memory
		s.primary.remove("config/gst")
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		advance(2 * time.Minute)
		s.elsewhere("config/gst", jwtConfig("verify_connection", false))
		status := s.status()
		check.True(t, count(t, status, "logins") == "0" && count(t, status, "reads") == "0" && status["last_login_at"] == "",
			"of a config that was only just written: logins %v, reads %v, last_login_at %v", status["logins"], status["reads"], status["last_login_at"])
	})
}

// The ready-made authorization header is not what every API wants: token_use says so, by the host and not by the preset's label.
func TestStatus_TokenUseIsThatOfTheHost(t *testing.T) {
	type testCase struct {
		config map[string]any
		wants  []string
	}
	each(t, map[string]testCase{
		"a preset of clientbasic":   {with(ofPreset("oauth-sandbox"), "verify_connection", false), []string{"field access_token", "not the authorization header"}},
		"a preset of pro":           {with(ofPreset("oauth-production"), "verify_connection", false), []string{"field access_token", "not the authorization header"}},
		"a preset of commonapi":     {with(ofPreset("oauth-verification"), "verify_connection", false), []string{"Bearer", "client_id"}},
		"the host without a preset": {with(oauth().config, "token_url", "https://PRO.mastersindia.co/oauth/access_token", "verify_connection", false), []string{"field access_token"}},
		"a preset that is left": {
			with(ofPreset("oauth-verification"), "token_url", "https://pro.mastersindia.co/oauth/access_token", "verify_connection", false),
			[]string{"field access_token"},
		},
		"an unknown host": {with(oauth().config, "verify_connection", false), []string{"by API host", "commonapi", "clientbasic"}},
		"jwt":             {with(jwtV1().config, "verify_connection", false), []string{"Authorization: JWT <token>"}},
		"soap":            {with(soap().config, "verify_connection", false), []string{"element <access_token>"}},
		"firstvision":     {with(assertion().config, "verify_connection", false), []string{"Authorization: Bearer <token>"}},
	}, func(t *testing.T, c testCase) {
		w := newTestMount(t)
		w.write("config/gst", c.config)
		w.quiet(func() { w.says(text(t, w.read("status/gst").Data, "token_use"), c.wants...) })
	})
}

// Readers wait for the first token, and are told to look at status/. It does not say that nobody has read one.
func TestStatus_ReadersWaitForALogin(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"the upstream hangs": func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		},
		"storage hangs while the login is noted": func(s *testMount) { s.Storage.SlowPuts(45 * time.Second) },
		"storage hangs with the token": func(s *testMount) {
			puts := 0
			s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
				if kind == mounttest.Put && strings.HasPrefix(key, "token/") {
					puts++
					if puts > 1 {
						return mounttest.Fault{Wait: 45 * time.Second}
					}
				}
				return mounttest.Fault{}
			})
		},
	}, func(t *testing.T, hang func(s *testMount)) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		hang(s)
		reader := s.async("token/app")
		advance(20 * time.Second)
		check.Require(t, s.wait(reader).err != nil, "the reader was served: nothing hangs")
		message := text(t, s.status(), "message")
		check.True(t, !strings.Contains(message, "nobody has read one"), "20 s after a read, which waits for a login: %s", message)
		s.Storage.Heal()
		advance(2 * time.Minute)
	})
}

// After a failed login the next is under way: status/ does not say that it takes another read.
func TestStatus_SecondLoginInFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
		s.failed("app")
		advance(5 * time.Second)
		const due = "there is no token; the next read logs in"
		s.says(text(t, s.status(), "message"), due)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		reader := s.async("token/app")
		advance(20 * time.Second)
		s.wait(reader)
		s.wantLogins(2, "(the second is in flight)")
		message := fmt.Sprint(s.status()["message"])
		check.True(t, !strings.Contains(message, due), "an attempt is under way, and status/ says: %s", message)
		advance(2 * time.Minute)
	})
}

// A login may have killed the token of a single session: status/ does not say that nobody has read one.
func TestStatus_TokenInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := singleSessionMount(t, time.Hour)
		s.token("app")
		advance(time.Minute)
		s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
		s.refused(logical.UpdateOperation, "config/gst", branch("7"))
		s.Storage.Heal()
		s.wantLogins(2, "one of them the verification")
		message := text(t, s.status(), "message")
		check.True(t, !strings.Contains(message, "nobody has read one"), "a minute after a read status/ says %s", message)
	})
	timed(t, "after a restart with a clock that was set back", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.Stop()
		s.Clock.Jump(-10 * time.Minute)
		s.Start()
		s.says(text(t, s.status(), "message"), "no token: the last one may be dead, after", "a clock that was set back")
		s.wantLiveToken()
	})
}

// TestStatus_SaysThatReadsWaitForLogin has a retry in flight whose hold is over.
func TestStatus_SaysThatReadsWaitForLogin(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		s.failed("app")
		advance(2 * time.Second)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		reader := s.async("token/app")
		advance(time.Second)
		message := text(t, s.status(), "message")
		second := s.async("token/app")
		_, err := s.wait(second).unpack()
		_, _ = s.wait(reader).unpack()
		check.NoError(t, err)
		check.Contains(t, message, "reads wait for the login; a login is in flight since")
	})
}

// cause is a way in which a login fails, and the message that an operator must get.
type cause struct {
	kind, state string
	// words must be in the message, one of each group separated by |.
	words []string
	mount func(t *testing.T) *testMount // nil: gstMount
	// happens is what makes logins fail, and goes makes the upstream as the command expects it; either may be nil.
	happens, goes func(s *testMount)
	// given are the values that the command wants from the operator.
	given map[string]any
	// mended says that after the command a read succeeds; otherwise the command is one that shows something.
	mended bool
}

func causes() map[string]cause {
	faulted := func(f simulator.Fault) func(s *testMount) {
		return func(s *testMount) { s.Simulator.SetFault(simulator.JWT, f) }
	}
	card := firstVision()
	card.account.Scope = "accounts"
	authority := map[string]any{"password": "pass-of-clerk"} // its certificate is added when it is made, in the bubble's year
	return map[string]cause{
		"wrong password": {
			kind: "rejected", state: "rejected", words: []string{"refused the credentials|password"},
			happens: (*testMount).changePassword, given: map[string]any{"password": "another-password"}, mended: true,
		},
		"wrong scope": {
			kind: "rejected", state: "rejected", words: []string{"scope"},
			mount: func(t *testing.T) *testMount { t.Helper(); return card.mounted(t, "scope", "cards") },
			given: map[string]any{"scope": "accounts", "client_secret": card.config["client_secret"]}, mended: true,
		},
		"upstream down": {
			kind: "unavailable", state: "backing_off", words: []string{"cannot be reached|closed|no response"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultDown}), goes: faulted(simulator.Fault{}), mended: true,
		},
		"TLS not trusted": {
			kind: "unavailable", state: "backing_off", words: []string{"certificate", "trusted"},
			mount: func(t *testing.T) *testMount {
				t.Helper()
				ca := check.Value(simulator.NewCA())(t)
				authority["ca_cert"] = string(ca.CertPEM())
				return overTLS(t, ca)
			},
			given: authority, mended: true,
		},
		"name not resolved": {
			kind: "unavailable", state: "backing_off", words: []string{"upstream.test", "resolve"},
			happens: func(s *testMount) { s.unresolved("upstream.test") },
		},
		"throttled": {
			kind: "throttled", state: "backing_off", words: []string{"slow down|throttled|too many"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour}),
		},
		"response not understood": {
			kind: "malformed", state: "backing_off", words: []string{"cannot be understood"},
			happens: faulted(simulator.Fault{Kind: simulator.FaultGarbage}),
		},
		"paused": {
			state: "paused", words: []string{"paused", "moving house"}, mended: true,
			happens: func(s *testMount) {
				s.write("config/gst", map[string]any{"paused": true, "pause_reason": "moving house"})
			},
		},
	}
}

// unresolved has a name not resolve.
func (s *testMount) unresolved(name string) {
	s.FailDials(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}})
}

// command finds the vault command in a message.
var command = regexp.MustCompile(`vault (read|write|list)((?: -\S+)*) (mastersindia/\S+)((?: [a-z_]+=\S*)*)`)

// run does what the first command in the message says, with what the operator has at hand.
func (s *testMount) run(message string, given map[string]any) *logical.Response {
	s.t.Helper()
	found := command.FindStringSubmatch(message)
	check.Require(s.t, found != nil, "no vault command in %q", message)
	verb, path := found[1], strings.TrimPrefix(found[3], "mastersindia/")
	data := make(map[string]any)
	for pair := range strings.FieldsSeq(found[4]) {
		name, value, _ := strings.Cut(strings.TrimRight(pair, ";,)"), "=")
		if value == "-" || strings.HasPrefix(value, "@") || value == "..." {
			check.Require(s.t, given[name] != nil, "the command asks for %s, which has nothing to do with the cause: %s", name, message)
			data[name] = given[name]
			continue
		}
		data[name] = value
	}
	if strings.Contains(message, "all secrets again") {
		maps.Copy(data, given)
	}
	op := map[string]logical.Operation{"read": logical.ReadOperation, "write": logical.UpdateOperation, "list": logical.ListOperation}[verb]
	path = strings.TrimRight(path, ".;,)")
	if len(data) == 0 {
		data = nil
	}
	resp, err := s.do(s.t.Context(), op, path, data)
	if err != nil || resp != nil && resp.IsError() {
		s.t.Errorf("the command %q failed: %v, %v", found[0], resp, err)
	}
	return resp
}

func TestStatusMessage_NamesCauseAndCommand(t *testing.T) {
	each(t, causes(), func(t *testing.T, c cause) {
		mount := c.mount
		if mount == nil {
			mount = func(t *testing.T) *testMount { t.Helper(); return gstMount(t, time.Hour) }
		}
		s := mount(t)
		if c.happens != nil {
			c.happens(s)
		}
		read, status := s.failure("app"), s.status()
		message := text(t, status, "message")
		check.Equal[any](t, status["state"], c.state, "state")
		check.Equal[any](t, status["last_error_kind"], c.kind, "last_error_kind")
		for _, text := range []string{message, read.Error()} {
			for _, group := range c.words {
				named := slices.ContainsFunc(strings.Split(group, "|"), func(word string) bool { return strings.Contains(text, word) })
				check.True(t, named, "the cause (%s) is not named in: %s", group, text)
			}
			check.True(t, command.MatchString(text), "no command to type in: %s", text)
		}
		if c.goes != nil {
			c.goes(s)
		}
		s.run(message, c.given)
		if c.mended {
			s.token("app")
		}
	})
}

// An API has refused a token, which was replaced, and rotate/ has replaced the one after it.
func TestStatus_TokenAfterRotateWasNotRejected(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(2 * time.Minute)
		a, err := s.ask(t.Context(), "app", reject(first.id))
		check.Require(t, err == nil && a.id != first.id, "the rejected token was not replaced: %v", err)
		advance(30 * time.Second)
		s.mustRotate()
		message := text(t, s.status(), "message")
		check.True(t, !strings.Contains(message, "the last one was refused by an API"), "it was replaced by rotate/: %s", message)
	})
}

// A login has ended, and storage is taking note of that, when other settings are written.
func TestStatus_CountsLoginWhoseSettingsChanged(t *testing.T) {
	eachNamed(t, map[string]bool{"refused": true, "succeeded": false}, func(t *testing.T, _ string, refused bool) {
		s := gstMount(t, time.Hour)
		if refused {
			s.changePassword()
		}
		letLoginGo := s.Upstream.Hold()
		read := s.async("token/app")
		advance(time.Second)
		caught, release := s.Storage.HoldNextPut("token/gst")
		letLoginGo()
		advance(time.Second)
		check.Require(t, closed(caught), "the write was not held: this tests nothing")
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", branch("7", "verify_connection", false))
		advance(time.Second)
		release()
		_, err := s.wait(write).unpack()
		check.NoError(t, err)
		s.wait(read)
		advance(time.Second)
		wanted, status := int64(1), s.status()
		if !refused {
			wanted = 2 // the reader is given one by the new settings
		}
		check.Equal(t, int64(len(s.Upstream.LoginTimes())), wanted, "logins upstream")
		check.True(t, status["logins"] == wanted, "status/ says %v logins (%v failed), the upstream got %d", status["logins"],
			status["login_failures"], wanted)
	})
}
