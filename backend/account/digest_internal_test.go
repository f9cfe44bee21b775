// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// TestDigests_StayTheSame: stored holds are found again by these digests. With other ones an upgrade would send refused credentials
// again. A new field must not count where it is empty.
func TestDigests_StayTheSame(t *testing.T) {
	t.Parallel()
	a := &upstream.Account{
		Protocol: upstream.JWT, Format: upstream.JSON, TokenURL: "https://upstream.test/login/", RefreshURL: "https://upstream.test/refresh/",
		Username: "clerk", Password: "a-password", Headers: map[string]string{"Productid": "arap"},
	}
	for name, digest := range map[string][2]string{
		"login":          {loginOf(a), "31c88f6b71c93c0ebdf1c985c75b71d7b40983e74b137fd711ad0abccc578d31"},
		"credentials":    {credentialsOf(a), "abf3bb3fe43fe06f"},
		"refresh target": {refreshTarget(a), "e846a51ce9ed5dbc"},
	} {
		if digest[0] != digest[1] {
			t.Errorf("the digest of the %s is %s, want %s, as it is stored: leave the order, and let a new field count only where it is set", name, digest[0], digest[1])
		}
	}
}
