// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestRead_StorageHangs: a reader whose wait is over gets an error that names the cause.
func TestRead_StorageHangs(t *testing.T) {
	t.Parallel()
	for _, access := range []string{mounttest.Get, mounttest.Put} {
		timed(t, access, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Reload()
			s.Storage.Slow(access, "token/", 25*time.Second)
			began := time.Now()
			_, err := s.ask(t.Context(), "app", nil)
			if waited := time.Since(began); waited < 15*time.Second || waited > 16*time.Second {
				t.Errorf("a reader has waited %s", waited)
			}
			if err == nil {
				t.Fatal("a reader was served though storage hangs")
			}
			s.wantLogins(0, "while storage hangs")
			if text := err.Error(); strings.Contains(text, "upstream") || !strings.Contains(text, "storage") {
				t.Errorf("the message blames the wrong one: %s", text)
			}
			s.Storage.Heal()
			advance(time.Minute)
		})
	}
}
