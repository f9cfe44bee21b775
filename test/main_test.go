// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"go/ast"
	"go/token"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestMain fails when a goroutine is left behind. A bubble of testing/synctest does so by itself; this is for all else.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("west of UTC", -8*60*60) // a time that is said in it instead of UTC is seen
	// Vault's SDK links the clients of the clouds' databases, and one of their packages starts this when it is loaded.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// A goroutine has an owner that ends it, and that survives its panic: Issuer.goWork. golangci forbids sync.WaitGroup.Go elsewhere.
func TestGoroutine_StartedByOwnersOnly(t *testing.T) {
	t.Parallel()
	started := map[string]int{}
	inspectPlugin(t, func(node ast.Node, at token.Position) {
		if _, is := node.(*ast.GoStmt); is {
			started[at.Filename]++
		}
	})
	check.Equal(t, started, map[string]int{"storage.go": 1}, "start a goroutine by Issuer.goWork: go statements by file")
}
