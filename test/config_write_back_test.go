// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// unwritten runs f and checks that it asked nothing of the upstream and wrote nothing to storage, not even the same again.
func (w *testMount) unwritten(f func()) {
	w.t.Helper()
	synctest.Wait()
	before := len(w.Storage.Accesses())
	w.idle(f)
	for _, access := range w.Storage.Accesses()[before:] {
		check.True(w.t, !changes(access), "storage access %q, want none that writes", access)
	}
}

func TestConfigWriteBack_ReadChangesNothing(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t, "verify_connection", true)
		token, before := w.read("token/app").Data, w.read("config/gst").Data
		for name, back := range map[string]map[string]any{
			"as it is":              before,
			"as JSON":               overTheWire(t, before),
			"without the secrets":   nil,
			"with verify=true":      with(overTheWire(t, before), "verify_connection", true),
			"with verify=false":     with(before, "verify_connection", false),
			"as it was written":     f.config,
			"only the same secrets": f.onlySecrets(),
		} {
			data := before
			if back != nil {
				data = merged(back, f.onlySecrets())
			}
			w.unwritten(func() { w.write("config/gst", data) })
			got := w.read("config/gst").Data
			check.True(t, reflect.DeepEqual(got, before), "%s: the read is %v, want %v as before", name, got, before)
		}
		w.quiet(func() { w.wantServed(token["token_id"]) })
	})
}

func TestConfigWriteBack_PresetReadChangesNothing(t *testing.T) {
	eachOf(t, presets(), func(t *testing.T, name string) {
		w := newTestMount(t)
		w.write("config/gst", with(ofPreset(name), "verify_connection", false))
		before := w.read("config/gst").Data
		secrets := fixture{config: ofPreset(name)}.onlySecrets()
		for _, data := range []map[string]any{
			merged(before, secrets), merged(overTheWire(t, before), secrets), ofPreset(name), overTheWire(t, before),
		} {
			w.unwritten(func() { w.write("config/gst", data) })
			got := w.read("config/gst").Data
			check.Equal(t, got, before, "the read")
		}
	})
}

func TestConfigWriteBack_ReadCreatesAnotherConfig(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := newTestMount(t, f.account)
		w.write("config/gst", f.config)
		copied := merged(overTheWire(t, w.read("config/gst").Data), f.onlySecrets())
		w.loggingIn(1, func() { w.write("config/copy", copied) })
		check.Equal(t, w.read("config/copy").Data, w.read("config/gst").Data, "the copy")
	})
}

func TestConfigWriteBack_EquivalentValuesAreEqual(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		w := newTestMount(t, f.account)
		w.write("config/gst", with(f.config, "request_timeout", "30s", "default_token_ttl", 3600, "headers", []any{
			"Productid=einvoicing_global", "X-Team=gst",
		}))
		w.unwritten(func() {
			w.write("config/gst", map[string]any{
				"request_timeout": 30, "default_token_ttl": "1h", "rotation_percent": "66", "allow_http": "true",
				"headers": map[string]any{"X-Team": "gst", "Productid": "einvoicing_global"},
			})
		})
	})
}

// The refused password is written again. That changes nothing, and would look like a success.
func TestConfigWriteBack_WhileRefusedSaysSo(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		same := map[string]any{"password": "pass-of-clerk"}
		s.token("app")
		check.Equal(t, warningsOf(s.write("config/gst", same)), "", "warnings")
		s.changePassword()
		_ = s.failedRotate()
		s.unwritten(func() {
			resp := s.write("config/gst", same)
			check.True(t, resp != nil && contains(warningsOf(resp), "Nothing was changed", "rotate/gst"), "%v: the upstream refuses that password", resp)
		})
	})
}
