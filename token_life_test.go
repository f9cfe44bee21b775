// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"testing"
	"time"
)

func TestTheLifeOfATokenIsWhatIsToldOrTheDefaultAndNeverTooLong(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		usual := f.life
		if f.name == "firstvision" {
			usual = 2 * time.Hour // one second more than its tokens live
		}
		silent := f
		silent.name, silent.account.OmitExpiry = f.name+" that tells no life", true
		for name, life := range map[string]struct {
			of     fixture
			change []any
			want   time.Duration
		}{
			"as told":                          {f, nil, f.life},
			"told, and the default is another": {f, []any{"default_token_ttl", "20m"}, f.life},
			"told, and a shorter limit":        {f, []any{"max_token_ttl", "20m"}, 20 * time.Minute},
			"told, and a longer limit":         {f, []any{"max_token_ttl", "48h"}, f.life},
			"not told":                         {silent, []any{"default_token_ttl", "20m"}, 20 * time.Minute},
			"not told, and a shorter limit":    {silent, []any{"default_token_ttl", "20m", "max_token_ttl", "10m"}, 10 * time.Minute},
			"not told, with the usual default": {silent, nil, usual},
			"told as a minute and a half":      {f.living(90 * time.Second), nil, 90 * time.Second},
		} {
			timed(t, f.name+" "+name, func(t *testing.T) {
				w := life.of.mounted(t, life.change...)
				data := w.read("token/app").Data
				if got := moment(t, data, "expires_at").Sub(moment(t, data, "issued_at")); got != life.want {
					t.Errorf("a life of %s, want %s", got, life.want)
				}
			})
		}
	}
}
