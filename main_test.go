// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a goroutine is left behind. A bubble of testing/synctest does so by itself; this is for all else.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
