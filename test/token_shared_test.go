// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestAHundredColdReadersThroughThreeRolesMakeOneLogin(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			w.write("role/two", map[string]any{"config": "gst", "max_ttl": "10m"})
			w.write("role/three", map[string]any{"config": "gst", "lease": false})
			w.slow(3 * time.Second) // so that they really meet
			roles := []string{"app", "two", "three"}
			var answers []<-chan reply
			for n := range 100 {
				answers = append(answers, w.async("token/"+roles[n%len(roles)]))
			}
			advance(time.Second)
			if got := w.Simulator.Counters().Logins; got != 1 {
				t.Errorf("%d logins are in flight, want 1", got)
			}
			tokens := map[string]int{}
			for _, answer := range answers {
				resp, err := w.wait(answer).unpack()
				if err != nil || resp.IsError() {
					t.Fatalf("a reader was answered %v, %v", resp, err)
				}
				tokens[text(t, resp.Data, "access_token")]++
			}
			if got := w.Simulator.Counters(); got.Logins != 1 || got.LoginsOK != 1 {
				t.Errorf("%d logins, %d granted, want one", got.Logins, got.LoginsOK)
			}
			if len(tokens) != 1 {
				t.Errorf("%d tokens were given out, want one", len(tokens))
			}
		})
	}
}

func TestEachConfigLogsInForItself(t *testing.T) {
	t.Parallel()
	timed(t, "ten configs", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		var answers []<-chan reply
		w.slow(3 * time.Second)
		for n := range 10 {
			name := fmt.Sprintf("gst-%d", n)
			w.write("config/"+name, jwtConfig("verify_connection", false))
			w.write("role/"+name, map[string]any{"config": name})
			answers = append(answers, w.async("token/"+name), w.async("token/"+name))
		}
		tokens := map[any]string{}
		for _, answer := range answers {
			resp, err := w.wait(answer).unpack()
			if err != nil || resp.IsError() {
				t.Fatalf("a reader was answered %v, %v", resp, err)
			}
			config := text(t, resp.Data, "config")
			if other, twice := tokens[resp.Data["token_id"]]; twice && other != config {
				t.Errorf("configs %s and %s share a token", other, config)
			}
			tokens[resp.Data["token_id"]] = config
		}
		w.wantLogins(10)
	})
}

func TestAReaderThatHangsUpEarlyCancelsNobody(t *testing.T) {
	t.Parallel()
	timed(t, "the first of two", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.slow(5 * time.Second)
		ctx, hangUp := context.WithCancel(t.Context())
		early := w.asyncIn(ctx, "token/app")
		advance(time.Second)
		patient := w.async("token/app")
		advance(time.Second)
		hangUp()
		if _, refused := asRefusal(w.wait(early).unpack()); !refused {
			t.Error("the reader that hung up was answered with a token")
		}
		resp, err := w.wait(patient).unpack()
		if err != nil || resp.IsError() {
			t.Fatalf("the patient reader was answered %v, %v", resp, err)
		}
		if got := w.Simulator.Counters(); got.Logins != 1 || got.LoginsOK != 1 {
			t.Errorf("%d logins, %d granted, want one", got.Logins, got.LoginsOK)
		}
	})
	timed(t, "all of them", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.slow(5 * time.Second)
		ctx, hangUp := context.WithCancel(t.Context())
		answers := []<-chan reply{w.asyncIn(ctx, "token/app"), w.asyncIn(ctx, "token/app")}
		advance(time.Second)
		hangUp()
		for _, answer := range answers {
			w.wait(answer)
		}
		advance(10 * time.Second)
		w.quiet(func() { w.read("token/app") })
	})
	timed(t, "one that never began to wait", func(t *testing.T) {
		w := jwtV1().mounted(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = w.do(ctx, logical.ReadOperation, "token/app", nil)
		advance(10 * time.Second)
		w.read("token/app")
		if got := w.logins(); got > 1 {
			t.Errorf("%d logins, want at most one", got)
		}
	})
}

func TestARestartCostsNoLogin(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			before := w.read("token/app").Data
			for range 3 {
				w.quiet(func() {
					advance(time.Minute)
					w.Reload()
					after := w.read("token/app").Data
					for _, field := range []string{"access_token", "token_id", "issued_at", "expires_at", "authorization", "client_id"} {
						if after[field] != before[field] {
							t.Errorf("%s is another after a restart", field)
						}
					}
				})
			}
		})
	}
	timed(t, "though the upstream is down", func(t *testing.T) {
		w := jwtV1().mounted(t)
		before := w.read("token/app").Data["token_id"]
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		w.Reload()
		if got := w.read("token/app").Data["token_id"]; got != before {
			t.Errorf("token %v is served, want %v", got, before)
		}
	})
	timed(t, "for the token of a verification that nobody has read", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.write("config/gst", jwtConfig())
		w.write("role/app", map[string]any{"config": "gst"})
		w.Reload()
		w.quiet(func() { w.read("token/app") })
	})
}

func TestARestartDuringALoginMakesOneMoreAtMost(t *testing.T) {
	t.Parallel()
	timed(t, "after a second", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.slow(5 * time.Second)
		answer := w.async("token/app")
		advance(time.Second)
		w.Stop()
		if _, refused := asRefusal(w.wait(answer).unpack()); !refused {
			t.Error("the engine has stopped, and yet the reader has a token")
		}
		w.Simulator.SetFault("", simulator.Fault{})
		w.Start()
		advance(2 * time.Minute) // the pause after an attempt that was never finished
		w.read("token/app")
		w.wantLogins(2)
	})
}
