// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestATokenReadIsLeasedAndComesFromOneLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, jwtAccount(withTTL(time.Hour)))
		w.write("config/gst", jwtConfig())
		w.write("role/app", map[string]any{"config": "gst"})
		resp := w.read("token/app")
		if got, want := resp.Secret.TTL, time.Hour-5*time.Second; got != want {
			t.Errorf("lease of %s, want %s", got, want)
		}
		if got := w.logins(); got != 1 {
			t.Errorf("%d logins, want 1", got)
		}
		time.Sleep(50 * time.Minute)
		resp2 := w.read("token/app")
		t.Log(resp2.Data, w.logins())
	})
}
