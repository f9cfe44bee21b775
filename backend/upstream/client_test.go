// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"encoding/pem"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestNew_NamesFieldNotValue(t *testing.T) {
	t.Parallel()
	// Each wrong value holds this word, which must not be repeated.
	const secret = "hunter-two"
	block := func(kind, text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)}))
	}
	tests := []struct {
		name   string
		change func(*upstream.Account)
		want   string
	}{
		{"no protocol", func(a *upstream.Account) { a.Protocol = "" }, "protocol"},
		{"a protocol of another name", func(a *upstream.Account) { a.Protocol = secret }, "protocol"},
		{"a format of another name", func(a *upstream.Account) { a.Format = secret }, "request_format"},
		{"a format of another kind", func(a *upstream.Account) { a.Format = upstream.Query }, "request_format"},
		{"a format for soap", func(a *upstream.Account) { a.Protocol, a.Format = upstream.SOAP, upstream.JSON }, "request_format"},
		{"no token_url", func(a *upstream.Account) { a.TokenURL = "" }, "token_url"},
		{"a token_url that is none", func(a *upstream.Account) { a.TokenURL = "https://" + secret + "/%zz" }, "token_url"},
		{"a token_url with no scheme", func(a *upstream.Account) { a.TokenURL = "//" + secret }, "token_url"},
		{"a token_url with no host", func(a *upstream.Account) { a.TokenURL = "https:///" + secret }, "token_url"},
		{"a token_url that is a file", func(a *upstream.Account) { a.TokenURL = "file://" + secret }, "token_url"},
		{"a refresh_url that is none", func(a *upstream.Account) { a.RefreshURL = "ftp://" + secret }, "refresh_url"},
		{"a proxy_url that is none", func(a *upstream.Account) { a.ProxyURL = "https://" + secret + ":port" }, "proxy_url"},
		{"a proxy_url of a bad scheme", func(a *upstream.Account) { a.ProxyURL = "ftp://" + secret }, "proxy_url"},
		{"a ca_cert that is no PEM", func(a *upstream.Account) { a.CACert = secret }, "ca_cert"},
		{"a ca_cert of spaces", func(a *upstream.Account) { a.CACert = " \n" }, "ca_cert"},
		{"a ca_cert that is a key",
			func(a *upstream.Account) { a.CACert = block("PRIVATE KEY", secret) }, "ca_cert must contain certificates only, and no key",
		},
		{"a ca_cert that is broken before a whole one",
			func(a *upstream.Account) {
				whole := string(check.Value(simulator.NewCA())(t).CertPEM())
				a.CACert = strings.Replace(whole, "-----END", "----END", 1) + whole
			}, "ca_cert contains an incomplete certificate",
		},
		{"a ca_cert that is garbage", func(a *upstream.Account) { a.CACert = block("CERTIFICATE", secret) }, "ca_cert"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			a := accountFor(upstream.JWT, "https://host.example")
			test.change(&a)
			c, err := upstream.New(a, upstream.Options{})
			check.Require(t, err != nil && c == nil, "New accepts the account")
			check.True(t, strings.HasPrefix(err.Error()+" ", test.want+" ") && !strings.Contains(err.Error(), secret),
				"the error is %q, want one about %s that repeats no value", err, test.want)
		})
	}
}
