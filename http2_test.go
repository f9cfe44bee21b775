// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestHTTP2_FirstSuccessAfterStall has every connection of an upstream that speaks HTTP/2 stop answering for five minutes. When
// the upstream answers new connections again, a reader waits for no more than the attempt under way and one hold.
func TestHTTP2_FirstSuccessAfterStall(t *testing.T) {
	t.Parallel()
	for _, speaks := range []string{"h2", "http/1.1"} {
		timed(t, speaks, func(t *testing.T) {
			w, roots := secure(t, "upstream.test", func(c *tls.Config) { c.NextProtos = []string{speaks} })
			w.write("config/gst", with(secureOAuth(), "ca_cert", roots, "verify_connection", false))
			w.write("role/app", map[string]any{"config": "gst"})
			w.sim.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultStall})

			var answersAgain time.Time
			clear := time.AfterFunc(5*time.Minute, func() {
				answersAgain = time.Now()
				w.sim.SetFault(simulator.OAuth, simulator.Fault{})
			})
			defer clear.Stop()
			failures := 0
			for began := time.Now(); ; time.Sleep(time.Second) {
				_, err := w.tryRead("token/app", nil)
				if err == nil {
					break
				}
				if failures++; !strings.Contains(err.Error(), "in time") || time.Since(began) > time.Hour {
					t.Fatalf("after %s: %v", time.Since(began), err)
				}
			}
			// The hold is 60 s, give or take a quarter, and the reader comes once a second.
			const timeout, hold = 15 * time.Second, 75 * time.Second
			if waited := time.Since(answersAgain); answersAgain.IsZero() || waited > timeout+hold+time.Second {
				t.Errorf("the first success came %s after the upstream answered again, want %s at most", waited, timeout+hold)
			}
			if failures < 5 {
				t.Errorf("%d reads failed: the upstream did not stop answering", failures)
			}
		})
	}
}
