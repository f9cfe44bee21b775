// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestRevoke_WriteOfTheFormerProcessLandsLast: a write of the record hangs in storage while the plugin is reloaded. The new process
// revokes, and then the old write lands.
func TestRevoke_WriteOfTheFormerProcessLandsLast(t *testing.T) {
	t.Parallel()
	timed(t, "reload", func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		held := s.onHeldStorage()
		first := s.token("app")
		advance(time.Minute)
		caught, release := held.holdNextPut("token/gst")
		rotation := s.asyncRequest(t.Context(), logical.UpdateOperation, "rotate/gst", nil)
		s.waitUntil("the note of a login", func() bool { return closed(caught) })
		s.Reload()
		s.wait(rotation)
		advance(time.Second)
		s.revoke("")
		advance(time.Minute)
		release()
		advance(5 * time.Minute)
		s.minute()
		s.Reload()
		advance(time.Minute)
		if a, err := s.ask(t.Context(), "app", nil); err == nil && a.id == first.id {
			t.Error("a revoked token was served")
		}
	})
}
