// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// margin is the part of a token's life that no lease may use.
const margin = 5 * time.Second

// tokenFields are the fields of a token's response.
func tokenFields(f fixture) []string {
	fields := []string{
		"access_token", "token_type", "authorization", "token_id", "issued_at", "expires_at", "expires_in", "config",
		"ttl", "rotation_period", "last_vault_rotation",
	}
	if f.spec().ClientIDWithToken {
		fields = append(fields, "client_id")
	}
	return slices.Sorted(slices.Values(fields))
}

// tokenID is how the contract names a token without showing it.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])[:16]
}

// variants are the fixtures in every request format that their endpoint takes.
func variants() []fixture {
	all := fixtures()
	for _, f := range fixtures() {
		for _, format := range f.formats {
			v := f
			v.name, v.config = f.name+" in "+string(format), with(f.config, "request_format", string(format))
			all = append(all, v)
		}
	}
	return all
}

func TestToken_ReadHasEveryFieldOfContract(t *testing.T) {
	eachOf(t, variants(), func(t *testing.T, f fixture) {
		w := f.mounted(t)
		began := time.Now()
		advance(300 * time.Millisecond) // so that nothing falls on a whole second by itself
		asked := time.Now()
		var resp *logical.Response
		w.loggingIn(1, func() { resp = w.read("token/app") })
		data := resp.Data
		check.Equal(t, slices.Sorted(maps.Keys(data)), tokenFields(f), "fields")
		token := text(t, data, "access_token")
		check.True(t, w.Simulator.TokenAlive(token), "the token is not alive upstream")
		for field, want := range map[string]any{
			"token_type": f.scheme, "authorization": f.scheme + " " + token, "token_id": tokenID(token), "config": "gst",
		} {
			check.True(t, data[field] == want, "%s is %v, want %v", field, data[field], want)
		}
		check.True(t, !f.spec().ClientIDWithToken || data["client_id"] == f.account.ClientID, "client_id is %v", data["client_id"])
		issued, expires := moment(t, data, "issued_at"), moment(t, data, "expires_at")
		check.True(t, !issued.Before(began) && !issued.After(asked), "issued_at is %s, want at most a second before %s", issued, asked)
		life := expires.Sub(asked)
		check.True(t, life <= f.life && life >= f.life-2*time.Second, "expires_at is %s away, want %s", life, f.life)
		checkLease(t, resp, asked)
		check.True(t, len(resp.Warnings) == 0, "warnings %q, want none", resp.Warnings)
		encoded := ""
		for _, value := range overTheWire(t, data) {
			if s, ok := value.(string); ok {
				encoded += s + "\n"
			}
		}
		w.hides(encoded, f.secrets()...)
	})
}

// checkLease checks the lease and the times of a response, which are whole seconds, rounded down: the token may end later.
func checkLease(t *testing.T, resp *logical.Response, now time.Time) {
	t.Helper()
	least := moment(t, resp.Data, "expires_at").Sub(now)
	between := func(what string, got, from, to time.Duration) {
		t.Helper()
		check.True(t, got >= from && got <= to && got%time.Second == 0, "%s is %s, want whole seconds from %s to %s", what, got, from, to)
	}
	between("expires_in", seconds(t, resp.Data, "expires_in"), (least - time.Second).Truncate(time.Second), least+time.Second)
	check.Require(t, resp.Secret != nil, "the response has no lease")
	between("the lease", resp.Secret.TTL, max(time.Second, (least-margin).Truncate(time.Second)), least-margin+time.Second)
	check.Equal(t, resp.Secret.MaxTTL, resp.Secret.TTL, "longest lease")
	check.True(t, !resp.Secret.Renewable, "the lease can be renewed")
}

func TestToken_SameHoweverItIsRead(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		w.write("role/many", map[string]any{"config": "gst", "lease": false})
		read := w.read("token/app")
		w.quiet(func() {
			update := w.write("token/app", nil)
			check.True(t, reflect.DeepEqual(update.Data, read.Data), "an update gives %v, a read %v", update.Data, read.Data)
			check.True(t, update.Secret != nil && update.Secret.LeaseOptions == read.Secret.LeaseOptions,
				"an update is leased as %v, a read as %v", update.Secret, read.Secret)
			unleased := w.read("token/many")
			check.True(t, unleased.Secret == nil, "the response without a lease is leased")
			check.True(t, reflect.DeepEqual(unleased.Data, read.Data), "unleased %v, leased %v", unleased.Data, read.Data)
		})
	})
}

func TestToken_AuthorizationScheme(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) {
		w.read("token/app")
		w.quiet(func() {
			w.write("config/gst", map[string]any{"authorization_scheme": "Token"})
			data := w.read("token/app").Data
			check.Equal[any](t, data["authorization"], "Token "+text(t, data, "access_token"), "authorization")
			check.True(t, data["token_type"] == "Token", "token_type is %v, want Token", data["token_type"])
		})
	})
}
