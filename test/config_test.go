// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// readFields are the fields of a config's read and their types: all that can be written but secrets and verify_connection.
func readFields() map[string]string {
	return map[string]string{
		"preset": "string", "protocol": "string", "token_url": "string", "refresh_url": "string", "request_format": "string",
		"assertion_audience": "string", "username": "string", "client_id": "string", "scope": "string", "soap_action": "string",
		"headers": "map[string]interface {}", "refresh_headers": "map[string]interface {}",
		"soap_username_element": "string", "soap_password_element": "string", "authorization_scheme": "string",
		"default_token_ttl": "float64", "max_token_ttl": "float64", "rotation_percent": "float64", "request_timeout": "float64",
		"ca_cert": "string", "proxy_url": "string", "allow_http": "bool", "paused": "bool", "pause_reason": "string",
		"ledger_retention": "float64",
	}
}

// overTheWire is data as Vault hands it on from JSON: what a client gets, or gives.
func overTheWire(t *testing.T, data map[string]any) map[string]any {
	t.Helper()
	var decoded map[string]any
	recode(t, data, &decoded)
	return decoded
}

// checkConfigRead checks the shape of a config's read.
func checkConfigRead(t *testing.T, data map[string]any) {
	t.Helper()
	types := map[string]string{}
	for name, value := range overTheWire(t, data) {
		types[name] = fmt.Sprintf("%T", value)
	}
	check.Equal(t, types, readFields(), "the fields, of which a secret belongs in secretFields(), here and in config.go")
}

func TestConfig_ReadHasAllFieldsButSecrets(t *testing.T) { //nolint:tparallel // fixturesTest calls it
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.unserved(t)
		var data map[string]any
		w.idle(func() { data = w.read("config/gst").Data })
		checkConfigRead(t, data)
		encoded, err := json.Marshal(data)
		check.NoError(t, err)
		w.hides(string(encoded), f.secrets()...)
		for name, value := range f.config {
			if slices.Contains(secretFields(), name) || strings.HasSuffix(name, "headers") {
				continue
			}
			check.True(t, data[name] == value, "%s is %v, want %v as written", name, data[name], value)
		}
	})
	for _, name := range presets() {
		timed(t, "preset "+name, func(t *testing.T) {
			w := newTestMount(t)
			w.write("config/gst", with(ofPreset(name), "verify_connection", false))
			checkConfigRead(t, w.read("config/gst").Data)
		})
	}
}

func TestConfig_DefaultsOfProtocol(t *testing.T) { //nolint:tparallel // fixturesTest calls it
	common := map[string]any{
		"preset": "", "refresh_url": "", "max_token_ttl": 0.0, "rotation_percent": 66.0, "request_timeout": 15.0, "ca_cert": "",
		"proxy_url": "", "paused": false, "pause_reason": "", "ledger_retention": 720.0 * 3600,
		"headers": map[string]any{}, "refresh_headers": map[string]any{},
	}
	fixturesTest(t, func(t *testing.T, f fixture) {
		of := map[string]any{
			"request_format": string(f.format()), "authorization_scheme": f.scheme,
			"default_token_ttl": f.spec().DefaultTokenTTL.Seconds(),
		}
		for _, field := range f.fields() {
			if field.Default != "" {
				of[field.Name] = field.Default
			}
		}
		w := f.unserved(t)
		got := overTheWire(t, w.read("config/gst").Data)
		for name, want := range merged(common, of) {
			if _, given := f.config[name]; given {
				continue
			}
			check.True(t, reflect.DeepEqual(got[name], want), "%s is %v, want %v", name, got[name], want)
		}
	})
	timed(t, "http is not allowed", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", secureOAuth())
		check.Equal[any](t, w.read("config/gst").Data["allow_http"], false, "allow_http")
	})
}

func TestConfig_ListHasKeyInfo(t *testing.T) {
	t.Parallel()
	timed(t, "one a protocol", func(t *testing.T) {
		w := newTestMount(t)
		var names []string
		for _, f := range fixtures() {
			w.write("config/"+f.name, with(f.config, "verify_connection", false))
			names = append(names, f.name)
		}
		slices.Sort(names)
		w.idle(func() {
			for _, path := range []string{"config/", "config"} {
				resp := w.list(path)
				check.Equal[any](t, resp.Data["keys"], names, "keys")
				info, ok := resp.Data["key_info"].(map[string]any)
				check.True(t, ok && len(info) == len(names), "key_info is %v, want an entry for each", resp.Data["key_info"])
				encoded, err := json.Marshal(resp.Data)
				check.NoError(t, err)
				for _, f := range fixtures() {
					w.hides(string(encoded), f.secrets()...)
					_, ok := info[f.name].(map[string]any)
					check.True(t, ok, "key_info of %s is %T, want a map", f.name, info[f.name])
				}
			}
		})
	})
	timed(t, "none", func(t *testing.T) {
		w := newTestMount(t)
		resp, err := w.do(t.Context(), logical.ListOperation, "config/", nil)
		check.True(t, err == nil && (resp == nil || !resp.IsError() && resp.Data["keys"] == nil), "the list is %v, %v", resp, err)
	})
}

func TestConfig_LongValuesKeptWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 400)
	timed(t, "4 kB each", func(t *testing.T) {
		f := oauth()
		f.account.Username, f.account.Password = "u"+long, "p"+long
		f.account.ClientID, f.account.ClientSecret = "i"+long, "s"+long
		f.config = with(f.config, "username", "u"+long, "password", "p"+long, "client_id", "i"+long, "client_secret", "s"+long,
			"headers", map[string]any{"X-Long": long}, "pause_reason", long)
		w := newTestMount(t, f.account)
		w.loggingIn(1, func() { w.write("config/gst", f.config) })
		data := overTheWire(t, w.read("config/gst").Data)
		for _, name := range []string{"username", "client_id", "pause_reason"} {
			check.True(t, data[name] == f.config[name], "%s has not kept its value of %d bytes", name, len(long))
		}
		check.True(t, reflect.DeepEqual(data["headers"], map[string]any{"X-Long": long}), "headers have not kept their value")
		w.write("role/app", map[string]any{"config": "gst"})
		w.quiet(func() { w.read("token/app") })
	})
	timed(t, "certificates of more than 10 kB", func(t *testing.T) {
		w := jwtV1().mounted(t)
		certificates := strings.Repeat(roots(t), 20)
		w.write("config/gst", with(jwtV1().onlySecrets(), "ca_cert", certificates, "verify_connection", false))
		check.True(t, w.read("config/gst").Data["ca_cert"] == certificates, "ca_cert has not kept its value of %d bytes", len(certificates))
	})
}

func TestConfigRefused_ValueTooLong(t *testing.T) {
	t.Parallel()
	long := "canary" + strings.Repeat("0123456789", 1024)
	for field, value := range map[string]any{
		"username": long, "password": long, "client_id": long, "client_secret": long, "pause_reason": long,
		"headers": map[string]any{"X-Long": long}, "token_url": "https://upstream.test/" + long,
		"authorization_scheme": long,
	} {
		refuse(t, oauth(), field+" of 10 kB", with(oauth().config, field, value), field, "longer than")
	}
}
