// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer_test

import (
	"errors"
	"sync"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// TestRemove_WhileReadersCome is for the race detector: a config is deleted and written anew while it is read.
func TestRemove_WhileReadersCome(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.add(account("gst", "one"))
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 2000 {
				if _, err := w.Read(t.Context(), "gst"); err != nil && !errors.Is(err, issuer.ErrNoAccount) {
					t.Error(err)
				}
			}
		})
	}
	for range 500 {
		w.remove("gst")
		if err := w.Remove(t.Context(), "gst"); err != nil {
			t.Error(err)
		}
		w.add(account("gst", "one"))
	}
	readers.Wait()
	if s, err := w.Status(t.Context(), "gst"); err != nil || s.Logins < 0 {
		t.Errorf("%+v (%v)", s, err)
	}
}
