// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// golden is an entry of the first schema, from the first hours of 2000. These files never change: see TestStorage_FirstSchemaStays.
func golden(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(mounttest.ModuleRoot(t), "testdata", "storage", "v1", name+".json"))
	check.NoError(t, err)
	return string(content)
}

// goldenFixtures are the fixtures of which a config and a token are in the golden files: a protocol has those once it is released.
func goldenFixtures(t *testing.T) []fixture {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(mounttest.ModuleRoot(t), "testdata", "storage", "v1", "config-*.json"))
	check.NoError(t, err)
	var found []fixture
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "config-"), ".json")
		if name == "full" {
			continue // see TestStorage_FirstSchemaConfigWithEveryField
		}
		n := slices.IndexFunc(fixtures(), func(f fixture) bool { return f.name == name })
		check.Require(t, n >= 0, "%s has no fixture", file)
		found = append(found, fixtures()[n])
	}
	check.Require(t, len(found) >= 7, "only %d golden configs are left: they are kept for ever", len(found))
	return found
}

// goldenWorld is a mount whose storage holds golden files: key, name of the file, and so on.
func goldenWorld(t *testing.T, f fixture, entries ...string) *testMount {
	t.Helper()
	return newTestMountWith(t, func(w *testMount) {
		for n := 0; n < len(entries); n += 2 {
			value := golden(t, entries[n+1])
			if strings.HasPrefix(entries[n], "role/") { // which are roles of other configs
				value = strings.ReplaceAll(value, "jwt-v1", "gst")
			}
			w.put(entries[n], value)
		}
	}, f.account)
}

// storedKeys are the keys of storage entries as the source has them, such as "StoredToken.issued_at".
func storedKeys(t *testing.T) []string {
	t.Helper()
	tag := regexp.MustCompile(`json:"([^",]+)`)
	var found []string
	for _, folder := range []string{"", "backend/account", "backend/ledger"} {
		files, err := filepath.Glob(filepath.Join(mounttest.ModuleRoot(t), folder, "*.go"))
		check.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.SkipObjectResolution)
			check.NoError(t, err)
			ast.Inspect(source, func(node ast.Node) bool {
				declared, _ := node.(*ast.TypeSpec)
				if declared == nil {
					return true
				}
				ast.Inspect(declared, func(node ast.Node) bool {
					if field, ok := node.(*ast.Field); ok && field.Tag != nil {
						for _, key := range tag.FindAllStringSubmatch(field.Tag.Value, -1) {
							found = append(found, declared.Name.Name+"."+key[1])
						}
					}
					return true
				})
				return false
			})
		}
	}
	slices.Sort(found)
	return found
}

// What is stored under a key that has changed is forgotten, and nothing else would notice.
func TestStorage_KeysStayTheSame(t *testing.T) {
	t.Parallel()
	const list = "testdata/storage/v1/keys.txt"
	content, err := os.ReadFile(filepath.Join(mounttest.ModuleRoot(t), list))
	check.NoError(t, err)
	known, found := strings.Fields(string(content)), storedKeys(t)
	for _, key := range known {
		check.True(t, slices.Contains(found, key), "%s of %s is in the source no more, and on people's disks it is", key, list)
	}
	for _, key := range found {
		check.True(t, slices.Contains(known, key), "%s is not in %s: add it there if it is new, not if it is another name for a key", key, list)
	}
}

// What is on people's disks does not change with the code: a file here is only ever added, with its line in SHA256SUMS.
func TestStorage_FirstSchemaStays(t *testing.T) {
	t.Parallel()
	folder := os.DirFS(filepath.Join(mounttest.ModuleRoot(t), "testdata", "storage", "v1"))
	sums := string(check.Value(fs.ReadFile(folder, "SHA256SUMS"))(t))
	files := check.Value(fs.Glob(folder, "*.json"))(t)
	for _, file := range files {
		line := fmt.Sprintf("%x  %s\n", sha256.Sum256(check.Value(fs.ReadFile(folder, file))(t)), file)
		check.True(t, strings.Contains(sums, line), "%s has changed, or is not in SHA256SUMS: older versions have stored it as it was", file)
	}
	check.Equal(t, strings.Count(sums, "\n"), len(files), "files in SHA256SUMS")
}

func TestStorage_FirstSchemaIsRead(t *testing.T) {
	eachOf(t, goldenFixtures(t), func(t *testing.T, f fixture) {
		w := goldenWorld(t, f, "config/gst", "config-"+f.name, "role/app", "role", "role/many", "role-unleased",
			"role/pune", "role-metadata", "token/gst", "token-"+f.name)
		w.write("config/today", with(f.config, "verify_connection", false))
		w.quiet(func() {
			check.Equal(t, w.read("config/gst").Data, w.read("config/today").Data, "the config")
			want := map[string]any{"config": "gst", "max_ttl": 900.0, "lease": true, "metadata": map[string]any{}}
			check.Equal(t, overTheWire(t, w.read("role/app").Data), want, "the role")
			resp := w.read("token/app")
			checkToken(t, resp.Data, f)
			check.True(t, resp.Secret.TTL == 15*time.Minute, "lease of %s, want 15m", resp.Secret.TTL)
			unleased := w.read("token/many")
			check.True(t, unleased.Secret == nil && reflect.DeepEqual(unleased.Data, resp.Data), "unleased %v", unleased.Data)
			metadata := map[string]any{"gstin": "29ABCDE1234F2Z5", "productid": "arap"}
			check.Equal[any](t, overTheWire(t, w.read("token/pune").Data)["metadata"], metadata, "metadata")
			check.Equal(t, w.read("status/gst").Data["state"], "ready", "state")
		})
	})
}

// checkToken checks the response for the token of a golden file.
func checkToken(t *testing.T, data map[string]any, f fixture) {
	t.Helper()
	const token = "invented-access-token-1"
	for field, want := range map[string]any{
		"access_token": token, "token_id": tokenID(token), "token_type": f.scheme, "authorization": f.scheme + " " + token,
		"issued_at": "2000-01-01T00:00:00Z", "config": "gst",
	} {
		check.True(t, data[field] == want, "%s is %v, want %v", field, data[field], want)
	}
	check.Equal(t, moment(t, data, "expires_at").Sub(moment(t, data, "issued_at")), f.life, "a life")
}

func TestStorage_FirstSchemaConfigWithEveryField(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := goldenWorld(t, jwtV1(), "config/gst", "config-full", "role/app", "role")
		const ksa = "https://qa-globalback.mastersindia-einv.com"
		want := map[string]any{
			"preset": "ksa-qa", "protocol": "jwt", "token_url": ksa + "/api/v2/token-auth/",
			"refresh_url": ksa + "/api/v2/api-token-refresh/", "request_format": "json", "username": "clerk",
			"headers":         map[string]any{"Productid": "einvoicing_global"},
			"refresh_headers": map[string]any{"Service": "online_service"}, "authorization_scheme": "Token", "default_token_ttl": 21600.0, "max_token_ttl": 43200.0,
			"rotation_percent": 50.0, "request_timeout": 20.0, "proxy_url": "http://proxy.test:3128", "allow_http": true,
			"paused": true, "pause_reason": "year-end audit", "ledger_retention": 86400.0,
		}
		got := overTheWire(t, w.read("config/gst").Data)
		certificate, _ := got["ca_cert"].(string)
		check.True(t, strings.HasPrefix(certificate, "-----BEGIN CERTIFICATE-----"), "ca_cert is %q", certificate)
		maps.DeleteFunc(got, func(_ string, value any) bool { return value == "" })
		check.Equal(t, without(got, "ca_cert"), want, "the config")
	})
}

func TestStorage_UpdateOfOldEntryKeepsFields(t *testing.T) {
	eachOf(t, goldenFixtures(t), func(t *testing.T, f fixture) {
		w := goldenWorld(t, f, "config/gst", "config-"+f.name, "token/gst", "token-"+f.name)
		w.quiet(func() { w.write("config/gst", map[string]any{"rotation_percent": 50}) })
		var before, after map[string]any
		check.NoError(t, json.Unmarshal([]byte(golden(t, "config-"+f.name)), &before))
		check.NoError(t, json.Unmarshal([]byte(w.stored()["config/gst"]), &after))
		for field, value := range before {
			check.True(t, field == "rotation_percent" || field == "generation" || reflect.DeepEqual(after[field], value),
				"stored %s is another than before", field)
		}
	})
}

func TestStorage_TokenOfOtherGenerationNotServed(t *testing.T) {
	eachOf(t, goldenFixtures(t), func(t *testing.T, f fixture) {
		w := goldenWorld(t, f, "config/gst", "config-"+f.name, "role/app", "role")
		w.put("token/gst", strings.ReplaceAll(golden(t, "token-"+f.name), "GENERATIONOFTHEFIRST", "ANOTHERGENERATIONOF"))
		w.Reload()
		w.loggingIn(1, func() { w.wantLiveToken() })
	})
}

func TestStorage_FirstSchemaTokensCanBeRevoked(t *testing.T) {
	t.Parallel()
	timed(t, "superseded ones included", func(t *testing.T) {
		w := goldenWorld(t, jwtV2(), "config/gst", "config-jwt-v2", "token/gst", "token-rotated")
		advance(2 * time.Minute)
		tokens, _ := overTheWire(t, w.write("revoke/gst", nil).Data)["tokens"].(map[string]any)
		var want []string
		for _, id := range regexp.MustCompile(`"token_id":"(\w+)"`).FindAllStringSubmatch(golden(t, "token-rotated"), -1) {
			want = append(want, id[1])
		}
		slices.Sort(want)
		check.Equal(t, slices.Sorted(maps.Keys(tokens)), want, "revoked were")
		check.Equal(t, w.Simulator.Counters().Refreshes, 3, "refresh tokens were sent upstream")
	})
	timed(t, "and are served no more", func(t *testing.T) {
		w := goldenWorld(t, jwtV2(), "config/gst", "config-jwt-v2", "token/gst", "token-revoked", "role/app", "role")
		advance(2 * time.Minute)
		w.loggingIn(1, func() {
			check.True(t, !strings.HasPrefix(text(t, w.read("token/app").Data, "access_token"), "invented-"), "a revoked token is served")
		})
	})
}

func TestStorage_FirstSchemaFailureIsKept(t *testing.T) {
	t.Parallel()
	timed(t, "refused credentials", func(t *testing.T) {
		advance(2 * time.Minute)
		w := goldenWorld(t, jwtV1(), "config/gst", "config-jwt-v1", "token/gst", "token-refused", "role/app", "role")
		w.quiet(func() {
			r := w.refusal(logical.ReadOperation, "token/app", nil)
			check.True(t, r.status == http.StatusBadRequest, "status %d, want 400", r.status)
			w.says(r.message, "gst", "2000-01-01T00:16:00Z")
			check.Equal(t, w.read("status/gst").Data["state"], "rejected", "state")
		})
		w.loggingIn(1, func() {
			advance(15 * time.Minute)
			w.read("token/app")
		})
	})
	timed(t, "a login that was never finished", func(t *testing.T) {
		advance(61 * time.Second)
		w := goldenWorld(t, jwtV1(), "config/gst", "config-jwt-v1", "token/gst", "token-attempt", "role/app", "role")
		w.quiet(func() { w.refusal(logical.ReadOperation, "token/app", nil) })
		check.Equal(t, w.read("status/gst").Data["consecutive_failures"], 1, "consecutive_failures")
		w.loggingIn(1, func() {
			advance(time.Minute)
			w.read("token/app")
		})
	})
}

// A verification of the first schema that was never finished stands in nobody's way.
func TestStorage_FirstSchemaUnfinishedVerification(t *testing.T) {
	bubble(t, func(t *testing.T) {
		advance(61 * time.Second)
		w := goldenWorld(t, jwtV1(), "token/gst", "token-verification")
		w.quiet(func() { advance(time.Hour) })
		w.loggingIn(1, func() { w.write("config/gst", jwtConfig()) })
		w.write("role/app", map[string]any{"config": "gst"})
		w.quiet(func() { w.read("token/app") })
	})
}

func TestStorage_FirstSchemaLedgerIsRead(t *testing.T) {
	t.Parallel()
	timed(t, "of a config that is gone", func(t *testing.T) {
		first, second, third := tokenID("invented-access-token-1"), tokenID("invented-access-token-2"), tokenID("invented-access-token-3")
		advance(time.Hour)
		w := goldenWorld(t, jwtV2(), "ledger/day/2000-02-01/gst/1", "ledger-day", "ledger/config/gst", "ledger-config",
			"ledger/id/"+first, "ledger-id", "ledger/id/"+second, "ledger-id-shared", "ledger/id/"+third, "ledger-id")
		at := func(minute int) time.Time { return time.Date(2000, 1, 1, 0, minute, 0, 0, time.UTC) }
		want := []remembered{
			{ID: third, State: "superseded", IssuedAt: at(3), ExpiresAt: at(3).Add(day), UsableUntil: at(3).Add(day), Reason: "after_revoke"},
			{ID: second, State: "revoked", IssuedAt: at(1), ExpiresAt: at(1).Add(day), UsableUntil: at(1).Add(day), Reason: "forced"},
			{ID: first, State: "revoked", IssuedAt: at(0), ExpiresAt: at(0).Add(day), UsableUntil: at(2), Reason: "first_read"},
		}
		got := w.ledgerOf("gst")
		check.True(t, slices.Equal(got, want), "the ledger is %+v, want %+v", got, want)
		for n, token := range []string{"invented-access-token-3", "invented-access-token-2", "invented-access-token-1"} {
			found := w.lookUp("token", token)
			found.Advice, want[n].Config = "", "gst"
			check.True(t, found == want[n], "found %+v, want %+v", found, want[n])
		}
		advance(32 * day)
		// Left is the place in the ledger of old, which is not here.
		check.Equal(t, len(w.storedUnder("ledger/")), 1, "entries after their day")
	})
	timed(t, "with tokens that come after it", func(t *testing.T) {
		w := goldenWorld(t, jwtV2(), "ledger/day/2000-02-01/gst/1", "ledger-day", "ledger/config/gst", "ledger-config")
		advance(time.Hour)
		w.mount(jwtV2())
		w.read("token/app")
		check.Equal(t, len(w.ledgerOf("gst")), 4, "entries")
		check.Equal(t, len(w.storedUnder("ledger/day/")), 1, "pages")
	})
	timed(t, "and a revocation whose time was not kept", func(t *testing.T) {
		w := goldenWorld(t, jwtV2(), "config/gst", "config-jwt-v2", "token/gst", "token-revoked")
		advance(2 * time.Minute)
		w.read("status/gst")
		found := w.lookUp("token_id", "d0fa5291acc426ad")
		check.True(t, found.State == "revoked" && found.UsableUntil.Equal(time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)),
			"%s until %s", found.State, found.UsableUntil)
	})
}

func TestStorage_UnstoredVerificationLeavesNothing(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := newTestMount(t, f.account)
		w.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
		w.loggingIn(1, func() { w.refusal(logical.UpdateOperation, "config/gst", f.config) })
		w.Storage.Heal()
		for key, value := range w.stored() {
			w.hides(key+" "+value, f.secrets()...)
			check.True(t, !strings.HasPrefix(key, "ledger/"), "the ledger has %s of a token that was never shared", key)
		}
	})
}

// snapshot is what an earlier version left in storage at 00:07 in 2000, with responses: a token, holds, and what was revoked.
type snapshot struct {
	Storage   map[string]json.RawMessage
	Responses map[string]map[string]any
}

// upgraded is a mount on the storage of an earlier version, a minute after that has stopped.
func upgraded(t *testing.T) (*testMount, snapshot) {
	t.Helper()
	var s snapshot
	check.NoError(t, json.Unmarshal([]byte(golden(t, "mount")), &s))
	advance(8 * time.Minute)
	return newTestMountWith(t, func(w *testMount) {
		for key, entry := range s.Storage {
			w.put(key, string(entry))
		}
	}, jwtAccount()), s
}

// The storage that an earlier version left is taken up as it is, without a login.
func TestUpgrade_InPlace(t *testing.T) {
	t.Parallel()
	timed(t, "says the same of all", func(t *testing.T) {
		w, before := upgraded(t)
		w.quiet(func() {
			for path, want := range before.Responses {
				got := overTheWire(t, w.read(path).Data)
				maps.DeleteFunc(got, func(field string, _ any) bool { _, is := want[field]; return !is })
				check.True(t, reflect.DeepEqual(got, want), "%s is %v, and the earlier version said %v", path, got, want)
			}
			for role, status := range map[string]int{"refused": http.StatusBadRequest, "throttled": http.StatusTooManyRequests} {
				r := w.refusal(logical.ReadOperation, "token/"+role, nil)
				check.True(t, r.status == status, "token/%s is answered %d, want %d", role, r.status, status)
				w.says(r.message, text(t, before.Responses["status/"+role], "next_attempt_at"))
			}
		})
	})
	for _, name := range []string{"refused", "throttled"} {
		timed(t, "keeps the hold of what was "+name, func(t *testing.T) {
			w, before := upgraded(t)
			end := moment(t, before.Responses["status/"+name], "next_attempt_at")
			w.quiet(func() {
				advanceUntil(end.Add(-time.Second))
				w.refusal(logical.ReadOperation, "token/"+name, nil)
			})
			w.loggingIn(1, func() {
				advance(time.Second)
				_, _ = w.tryRead("token/"+name, nil) // still refused, or a token
			})
		})
	}
	timed(t, "serves no revoked token", func(t *testing.T) {
		w, before := upgraded(t)
		w.loginsReturn(`{"token":"invented-access-token-2"}`) // which was revoked
		w.refusal(logical.ReadOperation, "token/eway", nil)
		w.Upstream.Replace(w.Simulator.ServeHTTP)
		advance(2 * time.Second)
		a := w.token("eway")
		revoked, _ := before.Responses["ledger/eway"]["tokens"].([]any)
		entry, _ := revoked[0].(map[string]any)
		check.Require(t, entry["state"] == "revoked" && entry["token_id"] == tokenID("invented-access-token-2"), "the earlier version had %v", entry)
		check.True(t, w.Simulator.TokenAlive(a.access), "the token is none of the upstream's")
		check.Equal(t, len(w.ledgerOf("eway")), 2, "tokens in the ledger, want the old one and the new")
	})
}
