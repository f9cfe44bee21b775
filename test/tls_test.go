// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// overTLS is a stage whose upstream has a certificate of an authority of its own.
func overTLS(t *testing.T, ca *simulator.CA) *testMount {
	t.Helper()
	config, err := ca.ServerTLS("upstream.test")
	if err != nil {
		t.Fatal(err)
	}
	s := newTestMountWith(t, func(m *testMount) { m.TLS = config }, jwtAccount(withTTL(time.Hour)))
	s.write("config/gst", jwtConfig(
		"token_url", strings.Replace(upstreamURL, "http:", "https:", 1)+"/api/v1/token-auth/", "verify_connection", false,
	))
	s.write("role/app", map[string]any{"config": "gst"})
	return s
}
