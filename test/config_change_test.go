// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// claims are whom a token of protocol jwt is of and when it ends, by the upstream's clock. What is missing is left empty.
func claims(token string) (username string, ends time.Time) {
	var c struct {
		Username string `json:"username"`
		Exp      int64  `json:"exp"`
	}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(payload, &c) // what is missing is seen by the checks
		}
	}
	return c.Username, time.Unix(c.Exp, 0)
}

// wantOwner checks whose token a read gives.
func (w *testMount) wantOwner(want string) {
	w.t.Helper()
	owner, _ := claims(text(w.t, w.read("token/app").Data, "access_token"))
	check.True(w.t, owner == want, "a reader has a token of %q, want one of %s", owner, want)
}

// twoClerks is a mount with two accounts, whose config is that of the first.
func twoClerks(t *testing.T) *testMount {
	t.Helper()
	w := newTestMount(t, jwtAccount(), simulator.Account{Protocol: simulator.JWT, Username: "other", Password: "pass-of-other"})
	w.mount(jwtV1())
	return w
}

func otherClerk(verify bool) map[string]any {
	return map[string]any{"username": "other", "password": "pass-of-other", "verify_connection": verify}
}

func TestTokenChange_DuringLoginDropsToken(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, verify bool) {
		w := twoClerks(t)
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultSlow, Delay: 10 * time.Second, Remaining: 1})
		var waiting []<-chan asyncResult
		for range 5 {
			waiting = append(waiting, w.async("token/app"))
		}
		advance(time.Second)
		w.write("config/gst", otherClerk(verify))
		written := time.Now()
		for range 5 {
			waiting = append(waiting, w.async("token/app"))
		}
		for _, response := range waiting {
			r := w.wait(response)
			resp, err := r.unpack()
			check.Require(t, err == nil && !resp.IsError(), "a waiting reader got %v, %v, want the new account's token", resp, err)
			owner, _ := claims(text(t, resp.Data, "access_token"))
			check.True(t, owner == "other" || !r.at.After(written), "%s after the write: a token of %s", r.at.Sub(written), owner)
		}
		advance(time.Minute)
		w.quiet(func() {
			for range 2 {
				w.wantOwner("other")
				w.Reload()
			}
		})
		atMost(t, w.logins(), 2, "logins")
	})
}

func TestTokenChange_DropsToken(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, verify bool) {
		w := twoClerks(t)
		w.read("token/app")
		w.write("config/gst", otherClerk(verify))
		for range 2 {
			w.wantOwner("other")
			w.Reload()
		}
	})
}

func TestTokenChange_ConcurrentWritesAndReadsAgree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := twoClerks(t)
		var responses []<-chan asyncResult
		for n := range 50 {
			responses = append(responses, w.async("token/app"))
			data := otherClerk(false)
			if n%2 == 0 {
				data = map[string]any{"username": "clerk", "password": "pass-of-clerk", "verify_connection": false}
			}
			responses = append(responses, w.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", data))
		}
		for _, response := range responses {
			r, refused := asRefusal(w.wait(response).unpack())
			check.True(t, !refused, "refused: %v", r)
		}
		w.write("config/gst", otherClerk(false))
		w.wantOwner("other")
	})
}

// The write of the config lands when its caller has gone. The settings that storage has are in force then.
func TestConfig_WriteThatLandsAfterItsCallerHungUp(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, verify bool) {
		s := gstMount(t, time.Hour)
		before := s.token("app")
		advance(time.Minute)
		caught, release := s.Storage.HoldNextPut("config/gst")
		ctx, cancel := context.WithCancel(t.Context())
		write := s.asyncRequest(ctx, logical.UpdateOperation, "config/gst", map[string]any{
			"headers": map[string]any{"X-Branch": "7"}, "authorization_scheme": "Token", "verify_connection": verify,
		})
		s.waitUntil("the write of the config", func() bool { return closed(caught) })
		cancel()
		advance(time.Second)
		_, _ = s.ask(t.Context(), "app", nil)
		release()
		s.wait(write)
		advance(time.Minute)
		check.RequireEqual(t, s.read("config/gst").Data["authorization_scheme"], "Token", "authorization_scheme")
		after := s.read("token/app").Data
		check.True(t, after["token_type"] == "Token" && after["token_id"] != before.id,
			"a read gives a token of type %v, the one of before: %t, and storage has other settings", after["token_type"], after["token_id"] == before.id)
	})
}

// hangingVerification is a mount on which a write of config gst hangs for a minute, in real time, as for a mutex it must.
func hangingVerification(t *testing.T) (s *testMount, isUnderWay func() bool) {
	t.Helper()
	s = gstMount(t, time.Hour, "request_timeout", "60s")
	s.token("app")
	s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
	}()
	t.Cleanup(func() {
		s.Backend().Cleanup(context.WithoutCancel(t.Context()))
		<-ended
	})
	isUnderWay = func() bool { return !closed(ended) }
	for s.logins() < 2 {
		check.Require(t, isUnderWay(), "the write has ended without a verification")
		time.Sleep(time.Millisecond)
	}
	return s, isUnderWay
}

// The verification of one config hangs. Roles of other names are written meanwhile.
func TestConfigWrite_HangingVerificationDelaysNoOtherName(t *testing.T) {
	t.Parallel()
	s, isUnderWay := hangingVerification(t)
	for n := range 1000 {
		name := fmt.Sprintf("role/app-%d", n)
		s.write(name, map[string]any{"config": "gst"})
		check.Require(t, isUnderWay(), "the write of %s has waited for the verification of config gst", name)
	}
}

// A caller who waits for another write of the same config hangs up, as all do when Vault seals or steps down.
func TestConfigWrite_CallerWhoHangsUpIsGone(t *testing.T) {
	t.Parallel()
	s, isUnderWay := hangingVerification(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.do(ctx, logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 51})
	check.True(t, err != nil && isUnderWay(), "a caller who hung up after 100ms was kept until the write before had ended (%v)", err)
}

// A config is stored without a login, and the record of its account is not. No token is said to be lost: there is none.
func TestConfigWrite_UnsavedRecordIsNoToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestMount(t, jwtAccount())
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		resp := s.write("config/gst", jwtConfig("verify_connection", false))
		s.wantLogins(0)
		check.True(t, !strings.Contains(warningsOf(resp), "token"), "warnings %q, and there was no login", resp.Warnings)
		s.Storage.Heal()
	})
}

// A write that changes where refresh tokens go takes those of the tokens that are out.
func TestConfigChange_WarnsOfLostRefreshTokens(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		other := with(jwtV2().onlySecrets(), "refresh_url", upstreamURL+"/api/v2/api-token-refresh/?site=2", "verify_connection", false)
		s.says(warningsOf(s.write("config/gst", other)), "1 of its tokens can no longer be revoked upstream")
		out, _ := s.revoke("")
		check.True(t, len(out) == 1, "revoke/ says %v", out)
		said := warningsOf(s.write("config/gst", with(other, "refresh_url", upstreamURL+"/api/v2/api-token-refresh/")))
		check.True(t, !strings.Contains(said, "can no longer be revoked"), "no token was revocable: %q", said)
	})
}
