// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"regexp"
	"strings"
	"testing"
)

// TestRemedy_NamesOnlyFieldsOfTheProtocol: no connection can be made over TLS. The command that the message gives names fields
// that a config of this protocol has.
func TestRemedy_NamesOnlyFieldsOfTheProtocol(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			url, _ := f.config["token_url"].(string)
			s := f.mounted(t, "token_url", strings.Replace(url, "http://", "https://", 1))
			text := s.failure("app").Error()
			if !strings.Contains(text, "ca_cert=") {
				t.Fatalf("the failure is not one of TLS: %s", text)
			}
			for _, field := range regexp.MustCompile(`(\w+)=[-@]`).FindAllStringSubmatch(text, -1) {
				if name := field[1]; name != "ca_cert" && f.config[name] == nil {
					t.Errorf("a config of protocol %v has no %s: %s", f.config["protocol"], name, text)
				}
			}
		})
	}
}
