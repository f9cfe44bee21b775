// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestRevoke_DuringClockAhead(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{"", simulator.FaultDown} {
		for _, ahead := range []time.Duration{0, 48 * time.Hour} {
			timed(t, "logins "+string(kind)+" "+ahead.String(), func(t *testing.T) {
				s := ksaMount(t, 24*time.Hour)
				s.EveryMinute()
				first := s.token("app")
				advance(10*time.Minute + 20*time.Second)
				if kind != "" {
					s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind, On: simulator.OnLogin})
				}
				s.Clock.Jump(ahead)
				out, warnings := s.revoke("")
				advance(10 * time.Second)
				s.Clock.Jump(-ahead)
				advance(time.Minute)
				s.wantNotRead(first.id)
				check.True(t, !s.Simulator.TokenAlive(first.access) || len(warnings) != 0,
					"token %s lives on, and revoke/ said %v without a warning", first.id, out)
			})
		}
	}
}

func TestVerification_RefusedStaysWithClockAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 48 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := gstMount(t, 24*time.Hour)
			s.token("app")
			wrong := map[string]any{"password": "mistyped"}
			_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
			s.wantLogins(2)
			advance(time.Minute)
			s.Clock.Jump(ahead)
			s.token("app")
			s.minute()
			sent := s.logins()
			s.Clock.Jump(-ahead)
			advance(time.Minute)
			_, _, err := s.Do(t.Context(), logical.UpdateOperation, "config/gst", wrong)
			check.True(t, codeOf(err) == http.StatusBadRequest, "the write is answered by %v", err)
			s.wantLogins(sent, "two minutes after the refusal, the clock was ahead by "+ahead.String())
		})
	}
}
