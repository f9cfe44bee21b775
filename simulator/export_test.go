// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/rsa"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// HMACKey lets tests verify the signatures of jwt tokens.
func (s *Simulator) HMACKey() []byte { return s.hmacKey }

// RSAKey lets tests verify the signatures of firstvision tokens.
func RSAKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	key := check.Value(rsaKey())(t)
	return &key.PublicKey
}

// SweepTokensAt makes the simulator forget dead tokens at n tokens already.
func (s *Simulator) SweepTokensAt(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepAt = n
}

// TokenCount is how many tokens the simulator remembers, dead or alive.
func (s *Simulator) TokenCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tokens)
}
