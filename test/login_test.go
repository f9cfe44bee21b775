// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Formats of the vendor that are not on its pages, with a wrong password too: a refusal opens the breaker in whatever form.
func TestLogin_UndocumentedFormats(t *testing.T) {
	type testCase struct {
		fixture fixture
		change  func(*simulator.Account)
		words   string
	}
	each(t, map[string]testCase{
		"jwt in the business envelope":   {jwtV1(), func(a *simulator.Account) { a.BusinessEnvelope = true }, "Unable to login"},
		"oauth in the business envelope": {oauth(), func(a *simulator.Account) { a.BusinessEnvelope = true }, "invalid_grant"},
		"soap in ISO-8859-1":             {soap(), func(a *simulator.Account) { a.Latin1 = true }, "Accès refusé"},
	}, func(t *testing.T, form testCase) {
		f := form.fixture
		form.change(&f.account)
		w := f.mounted(t)
		token, _ := w.read("token/app").Data["access_token"].(string)
		check.True(t, w.Simulator.TokenAlive(token), "the token that is served is none of the upstream's")
		changed := f.account
		changed.Password = "another"
		w.Simulator.SetAccount(changed)
		before := w.logins()
		r := w.upstreamRefusal(logical.UpdateOperation, "rotate/gst", nil, http.StatusBadRequest)
		w.says(r.message, form.words)
		check.Equal[any](t, w.read("status/gst").Data["state"], "rejected", "state")
		w.wantLogins(before + 1)
	})
}
