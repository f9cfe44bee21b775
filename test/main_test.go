// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a goroutine is left behind. A bubble of testing/synctest does so by itself; this is for all else.
func TestMain(m *testing.M) {
	// Vault's SDK links the clients of the clouds' databases, and one of their packages starts this when it is loaded.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}
