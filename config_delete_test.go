// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// remove sends a delete that must succeed.
func (w *world) remove(path string) {
	w.t.Helper()
	if r, refused := asRefusal(w.do(w.t.Context(), logical.DeleteOperation, path, nil)); refused {
		w.t.Fatalf("delete %s: %d %s", path, r.status, r.message)
	}
}

func TestADeletedConfigDropsItsTokens(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			token := text(t, w.read("token/app").Data, "access_token")
			w.quiet(func() { w.remove("config/gst") })
			for key, value := range w.stored() {
				w.hides(key+" "+value, append(f.secrets(), token)...)
			}
			if resp, err := w.tryRead("config/gst", nil); resp != nil || err != nil {
				t.Errorf("the config can be read: %v, %v", resp, err)
			}
		})
	}
}

func TestARoleWhoseConfigWasDeletedSaysWhatToType(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		timed(t, name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.read("token/app")
			w.remove("config/gst")
			if restart {
				w.reload()
			}
			for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
				w.badRequest(op, "token/app", nil, "gst", "vault write mastersindia/config/gst")
			}
			if got := w.read("role/app").Data["config"]; got != "gst" {
				t.Errorf("the role names config %v, want gst as before", got)
			}
		})
	}
}

func TestAConfigMadeAgainBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			old := w.read("token/app").Data["token_id"]
			w.remove("config/gst")
			w.quiet(func() { w.write("config/gst", with(f.config, "verify_connection", false)) })
			w.loggingIn(1, func() {
				if got := w.read("token/app").Data["token_id"]; got == old {
					t.Error("the token of the deleted config is served")
				}
			})
		})
	}
}

func TestAConfigThatIsNotThereCanBeDeleted(t *testing.T) {
	t.Parallel()
	timed(t, "config, role, and twice", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.idle(func() {
			w.remove("config/nobody")
			w.remove("role/nobody")
		})
		w.remove("config/gst")
		w.idle(func() { w.remove("config/gst") })
	})
}

func TestADeletedConfigIsNotRotatedByItsTimers(t *testing.T) {
	t.Parallel()
	timed(t, "two days", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.remove("config/gst")
		w.quiet(func() { elapse(48 * time.Hour) })
	})
}

func TestAConfigDeletedDuringALoginLeavesNoToken(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			w := f.mounted(t)
			w.slow(5 * time.Second)
			answer := w.async("token/app")
			elapse(time.Second)
			w.remove("config/gst")
			r, refused := asRefusal(w.wait(answer).unpack())
			if !refused || r.status != http.StatusBadRequest {
				t.Errorf("the reader was answered %v, want status 400", r)
			}
			w.says(r.message, "gst")
			elapse(time.Minute)
			for key := range w.stored() {
				if strings.HasPrefix(key, "token/") || strings.HasPrefix(key, "config/") {
					t.Errorf("%s is stored after its config was deleted", key)
				}
			}
			w.badRequest(logical.ReadOperation, "token/app", nil, "gst")
		})
	}
}

// TestConfigDelete_ReadsOfTheRoleWriteNothing: what is kept of a deleted config is which of its tokens were revoked.
func TestConfigDelete_ReadsOfTheRoleWriteNothing(t *testing.T) {
	t.Parallel()
	timed(t, "a revoked token is remembered", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.write("revoke/gst", nil)
		w.remove("config/gst")
		elapse(time.Second)
		w.unwritten(func() {
			for range 10 {
				w.refused(logical.ReadOperation, "token/app", nil)
				synctest.Wait()
			}
		})
	})
}
