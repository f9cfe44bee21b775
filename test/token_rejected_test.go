// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// rejecting asks for a token after the API has refused the one of that ID.
func (w *testMount) rejecting(id any) map[string]any {
	w.t.Helper()
	return w.write("token/app", map[string]any{"rejected_token_id": id}).Data
}

func TestARejectedTokenCanBeNamedInAReadAsInAnUpdate(t *testing.T) {
	t.Parallel()
	for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
		timed(t, string(op), func(t *testing.T) {
			w := oauth().mounted(t)
			old := w.read("token/app").Data["token_id"]
			advance(61 * time.Second)
			w.loggingIn(1, func() {
				resp, err := w.do(t.Context(), op, "token/app", map[string]any{"rejected_token_id": old})
				if r, refused := asRefusal(resp, err); refused {
					t.Fatalf("refused: %v", r)
				}
				if resp.Data["token_id"] == old {
					t.Error("the rejected token is served")
				}
			})
		})
	}
}

func TestARejectedTokenIsReplacedOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			old := w.read("token/app").Data
			w.Simulator.KillTokens("", "")
			advance(61 * time.Second)
			w.slow(2 * time.Second)
			w.loggingIn(1, func() {
				var answers []<-chan reply
				for range 25 {
					answers = append(answers, w.asyncRequest(t.Context(), logical.UpdateOperation, "token/app",
						map[string]any{"rejected_token_id": old["token_id"]}))
				}
				for _, answer := range answers {
					resp, err := w.wait(answer).unpack()
					if r, refused := asRefusal(resp, err); refused {
						t.Fatalf("refused: %v", r)
					}
					if resp.Data["token_id"] == old["token_id"] {
						t.Error("the rejected token is served")
					}
					if !w.Simulator.TokenAlive(text(t, resp.Data, "access_token")) {
						t.Error("the token in its place is not alive upstream")
					}
				}
			})
		})
	}
}

func TestARejectedTokenIsReplacedAtMostOnceInFiveMinutes(t *testing.T) {
	t.Parallel()
	timed(t, "two that are rejected", func(t *testing.T) {
		w := oauth().mounted(t)
		first := w.read("token/app").Data["token_id"]
		advance(61 * time.Second)
		w.loggingIn(1, func() { w.rejecting(first) })
		second := w.read("token/app").Data["token_id"]
		for range 3 { // 61 s, 122 s, 183 s after the rotation
			advance(61 * time.Second)
			w.quiet(func() { w.rejecting(second) })
		}
		advance(2 * time.Minute)
		w.loggingIn(1, func() { w.rejecting(second) })
	})
}

func TestARejectionThatCannotBeMeantIsAnsweredAtOnceWithTheCurrentToken(t *testing.T) {
	t.Parallel()
	timed(t, "a token that is too young", func(t *testing.T) {
		w := oauth().mounted(t)
		id := w.read("token/app").Data["token_id"]
		advance(50 * time.Second)
		w.quiet(func() {
			if got := w.rejecting(id)["token_id"]; got != id {
				t.Errorf("token %v is served, want %v", got, id)
			}
		})
	})
	for name, id := range map[string]string{
		"a token that is not current": "0123456789abcdef", "no token": "", "another spelling": "canary",
	} {
		timed(t, name, func(t *testing.T) {
			w := oauth().mounted(t)
			current := w.read("token/app").Data["token_id"]
			advance(2 * time.Minute)
			w.quiet(func() {
				resp, err := w.do(t.Context(), logical.UpdateOperation, "token/app", map[string]any{"rejected_token_id": id})
				if r, refused := asRefusal(resp, err); refused {
					w.hides(r.message, "canary")
					return // a clear refusal is as good
				}
				if resp.Data["token_id"] != current {
					t.Errorf("token %v is served, want %v", resp.Data["token_id"], current)
				}
			})
		})
	}
}
