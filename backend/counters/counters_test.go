// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package counters_test

import (
	"fmt"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestCounter_ByResultAndReason(t *testing.T) {
	t.Parallel()
	c := counters.NewSet().Of("gst")
	if all := c.Counts(); len(all.Reads)+len(all.Logins)+len(all.Rotations) > 0 {
		t.Errorf("something was counted before anything happened: %v", all)
	}
	c.Read(counters.OK)
	c.Read(counters.OK)
	c.Read("paused")
	c.Login(counters.OK, "forced")
	c.Login("rejected", "")
	all := c.Counts()
	c.Read("paused") // what was returned does not change
	for what, n := range map[string]int64{
		"reads ok": all.Reads[counters.OK] - 2, "reads paused": all.Reads["paused"] - 1, "logins ok": all.Logins[counters.OK] - 1,
		"logins rejected": all.Logins["rejected"] - 1, "rotations": all.Rotations["forced"] - 1,
	} {
		check.Equal(t, n, 0, "%s: beyond what was counted", what)
	}
}

// TestSet_SharedBeyondTheLimit: an account keeps the counter that it was first given.
func TestSet_SharedBeyondTheLimit(t *testing.T) {
	t.Parallel()
	s := counters.NewSet()
	for n := range counters.Max {
		s.Of(fmt.Sprint("own", n)).Read(counters.OK)
	}
	if own, sharing := s.All(); len(own) != counters.Max || len(sharing) > 0 {
		t.Fatalf("%d accounts have a counter of their own, and %q share one", len(own), sharing)
	}
	s.Of("late").Read(counters.OK)
	s.Of("later").Read(counters.OK)
	own, sharing := s.All()
	if n := own[counters.Others].Counts().Reads[counters.OK]; n != 2 || len(sharing) != 2 {
		t.Errorf("%d reads are counted together, of %q", n, sharing)
	}
	s.Forget("own7")
	check.True(t, s.Of("new") != s.Of("late"), "a new account has no counter of its own although there is room")
	check.True(t, s.Of("late") == s.Of("later"), "an account was given another counter later")
}
