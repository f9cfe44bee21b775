// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestRead_StorageHangs: a reader waits at most 15 s, whatever storage does not give, and gets an error that names the cause.
func TestRead_StorageHangs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ access, prefix string }{
		{mounttest.Get, "role/"}, {mounttest.Get, "config/"}, {mounttest.Get, "token/"}, {mounttest.Put, "token/"},
	} {
		timed(t, c.access+" "+c.prefix, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Reload()
			s.Storage.Slow(c.access, c.prefix, 80*time.Second)
			began := time.Now()
			err := s.failure("app")
			if waited := time.Since(began); waited < 15*time.Second || waited > 16*time.Second {
				t.Errorf("a reader has waited %s", waited)
			}
			s.wantLogins(0, "while storage hangs")
			if text := err.Error(); strings.Contains(text, "upstream") || !strings.Contains(text, "storage") {
				t.Errorf("the message blames the wrong one: %s", text)
			}
			s.Storage.Heal()
			advance(2 * time.Minute)
		})
	}
}
