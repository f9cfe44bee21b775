// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestEnvelope_HoldsLoginAsString(t *testing.T) {
	t.Parallel()
	for _, protocol := range []simulator.Protocol{simulator.JWT, simulator.OAuth} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			a := account(protocol, func(a *simulator.Account) { a.BusinessEnvelope = true })
			b := newBed(t, a)
			var envelope struct {
				Error   bool
				Message string
				Data    string
			}
			got := b.login(a)
			got.json(t, &envelope)
			var data map[string]any
			if err := json.Unmarshal([]byte(envelope.Data), &data); err != nil {
				t.Fatalf("data is no JSON: %v", err)
			}
			token, _ := data["token"].(string)
			if protocol == simulator.OAuth {
				token, _ = data["access_token"].(string)
			}
			check.True(t, got.status == http.StatusOK && !envelope.Error && b.TokenAlive(token), "got %d %s", got.status, got.body)

			got = b.login(withWrongSecret(a))
			got.json(t, &envelope)
			check.True(t, got.status == http.StatusOK && envelope.Error && envelope.Message != "",
				"refused with %d %s", got.status, got.body)
			b.SetFault(protocol, simulator.Fault{Kind: simulator.FaultThrottled})
			if got := b.login(a); got.status != http.StatusTooManyRequests || strings.Contains(got.body, "data") {
				t.Errorf("throttled with %d %s", got.status, got.body)
			}
		})
	}
}

func TestLatin1_SOAP(t *testing.T) {
	t.Parallel()
	a := account(simulator.SOAP, func(a *simulator.Account) { a.Latin1 = true })
	b := newBed(t, a)
	if got := b.login(a); !b.TokenAlive(b.tokenIn(got)) || !strings.Contains(got.body, `encoding="ISO-8859-1"`) {
		t.Errorf("got %s", got.body)
	}
	got := b.login(withWrongSecret(a))
	check.True(t, strings.Contains(got.body, "Acc\xe8s refus\xe9") && strings.Contains(got.header.Get("Content-Type"), "ISO-8859-1"),
		"refused with %q", got.body)
}

func TestSameToken_RepeatedOrRenewed(t *testing.T) {
	t.Parallel()
	for _, protocol := range []simulator.Protocol{simulator.OAuth, simulator.SOAP} {
		for _, same := range []simulator.SameToken{simulator.TokenRepeated, simulator.TokenRenewed} {
			t.Run(string(protocol)+" "+string(same), func(t *testing.T) {
				t.Parallel()
				a := account(protocol, func(a *simulator.Account) { a.SameToken, a.TokenTTL = same, time.Hour })
				b := newBed(t, a)
				first := b.login(a)
				b.clock.Advance(40 * time.Minute)
				second := b.login(a)
				check.Require(t, second.body == first.body,
					"got %s, want the same token and the same expires_in as in %s", second.body, first.body)
				b.clock.Advance(40 * time.Minute)
				token := b.tokenIn(first)
				check.Equal(t, b.TokenAlive(token), same == simulator.TokenRenewed, "80 minutes after the first login the token is alive")
				b.clock.Advance(time.Hour)
				another := b.token(a)
				check.True(t, another != token && b.TokenAlive(another), "a dead token is given again")
			})
		}
	}
	bad := account(simulator.OAuth, func(a *simulator.Account) { a.SameToken = "sometimes" })
	err := bad.Validate()
	check.True(t, err != nil && strings.Contains(err.Error(), "same_token"), "an unknown same_token: %v", err)
}
