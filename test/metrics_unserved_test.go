// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestMetrics_ReaderWhoseWaitIsOverIsNoHangUp: a reader that has waited as long as readers wait, and got a 504, is a read that
// failed. cancelled is for one that did not wait, and no alert looks at it.
func TestMetrics_ReaderWhoseWaitIsOverIsNoHangUp(t *testing.T) {
	t.Parallel()
	timed(t, "the upstream needs 20 s", func(t *testing.T) {
		s := gstMount(t, time.Hour, "request_timeout", "60s")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall})
		if code := codeOf(s.failure("app")); code != 504 {
			t.Fatalf("a reader is answered %d, want 504", code)
		}
		if reads := s.scrape().counted("reads_total"); reads["cancelled"] != 0 {
			t.Errorf("reads_total %v: the reader has waited to the end", reads)
		}
		advance(time.Minute)
	})
}
