// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// TestCharset_NamedByContentType has no XML declaration.
func TestCharset_NamedByContentType(t *testing.T) {
	t.Parallel()
	_, body, _ := strings.Cut(soapResponse("access_tokenResponse", "acc\xe8s refus\xe9"), "?>")
	for media, want := range map[string]string{
		"text/xml; charset=ISO-8859-1": "rejected", `text/xml; charset="windows-1252"`: "rejected",
		"text/xml; charset=utf-8": "malformed", "text/xml": "malformed", "text/xml; charset=koi8-r": "malformed",
	} {
		mustBe(t, mustFail(login(t, upstream.SOAP, always(200, media, body)))(t), want)
	}
}
