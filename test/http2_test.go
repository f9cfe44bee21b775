// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestHTTP2_FirstSuccessAfterStall has connections of an upstream stop responding. From the moment when new ones work
// again, a reader waits for no more than the attempt under way and one hold.
func TestHTTP2_FirstSuccessAfterStall(t *testing.T) {
	t.Parallel()
	for _, speaks := range []string{"h2", "http/1.1"} {
		timed(t, speaks+", one connection", func(t *testing.T) {
			w := stalling(t, speaks)
			w.Simulator.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultStall, Remaining: 1})
			if failures, waited := readUntilSuccess(t, w), w.since(); failures < 1 || waited > 15*time.Second+1250*time.Millisecond+time.Second {
				t.Errorf("%d reads failed, and the first success came after %s, want it after one timeout and one hold", failures, waited)
			}
		})
		timed(t, speaks+", every connection for five minutes", func(t *testing.T) {
			w := stalling(t, speaks)
			w.Simulator.SetFault(simulator.OAuth, simulator.Fault{Kind: simulator.FaultStall})
			recovery := time.AfterFunc(5*time.Minute, func() {
				w.began = time.Now()
				w.Simulator.SetFault(simulator.OAuth, simulator.Fault{})
			})
			defer recovery.Stop()
			// Holds have grown to 60 s by now, give or take a quarter.
			if failures, waited := readUntilSuccess(t, w), w.since(); failures < 100 || waited > 15*time.Second+75*time.Second+time.Second {
				t.Errorf("%d reads failed, and the first success came %s after the end of the stall", failures, waited)
			}
		})
	}
}

// stallingWorld is a mount whose upstream may stop responding.
type stallingWorld struct {
	*testMount
	began time.Time
}

func (w *stallingWorld) since() time.Duration { return time.Since(w.began) }

func stalling(t *testing.T, speaks string) *stallingWorld {
	t.Helper()
	w, roots := secure(t, "upstream.test", func(c *tls.Config) { c.NextProtos = []string{speaks} })
	w.write("config/gst", with(secureOAuth(), "ca_cert", roots, "verify_connection", false))
	w.write("role/app", map[string]any{"config": "gst"})
	return &stallingWorld{w, time.Now()}
}

// readUntilSuccess reads once a second and returns how many reads failed.
func readUntilSuccess(t *testing.T, w *stallingWorld) int {
	t.Helper()
	for failures := range 3600 {
		_, err := w.tryRead("token/app", nil)
		if err == nil {
			return failures
		}
		if !strings.Contains(err.Error(), "in time") {
			t.Fatal(err)
		}
		<-time.After(time.Second)
	}
	t.Fatal("no read has succeeded")
	return 0
}
