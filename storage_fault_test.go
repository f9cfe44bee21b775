// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// storageFault is an access that fails, and a request that needs it.
type storageFault struct {
	access, prefix string
	op             logical.Operation
	path           string
	data           map[string]any
}

func storageFaults() []storageFault {
	untried := jwtConfig("verify_connection", false)
	return []storageFault{
		{storeGet, "config/", logical.ReadOperation, "config/gst", nil},
		{storeGet, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{storeGet, "config/", logical.UpdateOperation, "config/new", jwtConfig()},
		{storeGet, "config/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{storeGet, "config/", logical.ReadOperation, "token/app", nil},
		{storeGet, "config/", logical.UpdateOperation, "rotate/gst", nil},
		{storeGet, "config/", logical.UpdateOperation, "revoke/gst", nil},
		{storeGet, "config/", logical.ReadOperation, "status/gst", nil},
		{storeGet, "config/", logical.ListOperation, "config/", nil},
		{storePut, "config/", logical.UpdateOperation, "config/new", untried},
		{storePut, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{storeDelete, "config/", logical.DeleteOperation, "config/gst", nil},
		{storeList, "config/", logical.ListOperation, "config/", nil},
		{storeList, "config/", logical.ListOperation, "status/", nil},
		{storeGet, "role/", logical.ReadOperation, "role/app", nil},
		{storeGet, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{storeGet, "role/", logical.ReadOperation, "token/app", nil},
		{storeGet, "role/", logical.ListOperation, "role/", nil},
		{storePut, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{storePut, "role/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{storeDelete, "role/", logical.DeleteOperation, "role/app", nil},
		{storeList, "role/", logical.ListOperation, "role/", nil},
		{storeGet, "token/", logical.ReadOperation, "token/app", nil},
		{storeGet, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{storeGet, "token/", logical.UpdateOperation, "revoke/gst", nil},
		{storeGet, "ledger/", logical.ReadOperation, "ledger/gst", nil},
		{storeList, "ledger/", logical.ListOperation, "ledger/", nil},
		// An attempt that cannot be noted is not made.
		{storePut, "token/", logical.ReadOperation, "token/app", nil},
		{storePut, "token/", logical.UpdateOperation, "token/app", nil},
		{storePut, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{storePut, "token/", logical.UpdateOperation, "config/new", jwtConfig()},
		{storePut, "token/", logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"}},
	}
}

func TestStorageThatFailsIsAClearErrorWithoutALoginOrAChange(t *testing.T) {
	t.Parallel()
	for _, fault := range storageFaults() {
		timed(t, fault.access+" "+fault.prefix+" for "+string(fault.op)+" "+fault.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.reload() // with nothing in memory
			w.idle(func() {
				w.disk.fail(fault.access, fault.prefix, errStorage())
				r := w.refusal(fault.op, fault.path, fault.data)
				w.says(r.message, fault.prefix, errStorage().Error())
				w.hides(r.message, jwtV1().secrets()...)
				w.disk.mend()
			})
			elapse(2 * time.Minute)
			if r, refused := asRefusal(w.do(t.Context(), fault.op, fault.path, fault.data)); refused {
				t.Errorf("storage is well again, and yet: %v", r)
			}
		})
	}
}

func TestAnUnreadableStorageIsNotAnAccountThatIsMissing(t *testing.T) {
	t.Parallel()
	timed(t, "config", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.reload()
		w.disk.fail(storeGet, "config/", errStorage())
		r := w.refusal(logical.ReadOperation, "token/app", nil)
		if r.status < 500 || strings.Contains(r.message, "does not exist") {
			t.Errorf("answered %v, want a failure of the server", r)
		}
	})
}

func TestAStorageThatOnlyReadsIsSaidInItsOwnWords(t *testing.T) {
	t.Parallel()
	// Over gRPC an error keeps nothing but its words: whoever looks for these must find them, and nothing else.
	readOnly := errors.New(logical.ErrReadOnly.Error())
	for _, fault := range storageFaults() {
		if fault.access != storePut && fault.access != storeDelete {
			continue
		}
		timed(t, fault.access+" "+fault.prefix+" for "+string(fault.op)+" "+fault.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.reload()
			w.idle(func() {
				w.disk.fail(fault.access, fault.prefix, readOnly)
				if r := w.refusal(fault.op, fault.path, fault.data); r.message != logical.ErrReadOnly.Error() {
					t.Errorf("answered %q, want %q alone", r.message, logical.ErrReadOnly)
				}
				w.disk.mend()
			})
		})
	}
}

func TestATokenInMemoryIsServedThoughStorageFails(t *testing.T) {
	t.Parallel()
	for _, access := range []string{storeGet, storePut, storeDelete, storeList} {
		timed(t, access, func(t *testing.T) {
			w := jwtV1().mounted(t)
			token := w.read("token/app").Data["token_id"]
			w.disk.fail(access, "", errStorage())
			w.quiet(func() {
				if got := w.read("token/app").Data["token_id"]; got != token {
					t.Errorf("token %v is served, want %v", got, token)
				}
			})
		})
	}
}

func TestATokenThatCannotBeStoredMakesNoLoginStorm(t *testing.T) {
	t.Parallel()
	timed(t, "fifty readers", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.slow(time.Second)
		answer := w.async("token/app")
		elapse(500 * time.Millisecond) // the attempt is noted, the login in flight
		w.disk.fail(storePut, "token/", errStorage())
		w.wait(answer)
		for range 50 {
			_, _ = w.do(t.Context(), logical.ReadOperation, "token/app", nil)
		}
		if got := w.logins(); got > 1 {
			t.Errorf("%d logins, want 1", got)
		}
	})
}

func TestADeleteThatFailsHalfWayLeavesNoTokenBehindForGood(t *testing.T) {
	t.Parallel()
	timed(t, "the token's entry cannot be deleted", func(t *testing.T) {
		w := jwtV1().mounted(t)
		old := w.read("token/app").Data["token_id"]
		w.disk.fail(storeDelete, "token/", errStorage())
		_, _ = w.do(t.Context(), logical.DeleteOperation, "config/gst", nil)
		w.disk.mend()
		w.reload()
		w.remove("config/gst")
		w.mount(jwtV1())
		w.loggingIn(1, func() {
			if got := w.read("token/app").Data["token_id"]; got == old {
				t.Error("the token of the deleted config is served")
			}
		})
	})
	timed(t, "the config's entry cannot be deleted", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.disk.fail(storeDelete, "config/", errStorage())
		w.quiet(func() { w.says(w.refusal(logical.DeleteOperation, "config/gst", nil).message, errStorage().Error()) })
		w.disk.mend()
		w.read("config/gst")
		if token := text(t, w.read("token/app").Data, "access_token"); !w.sim.TokenAlive(token) {
			t.Error("the token is not alive upstream")
		}
	})
}

func TestALoginIsNotedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		op   logical.Operation
		path string
		data map[string]any
		key  string
	}{
		{logical.ReadOperation, "token/app", nil, "token/gst"},
		{logical.UpdateOperation, "rotate/gst", nil, "token/gst"},
		{logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"}, "token/gst"},
		{logical.UpdateOperation, "config/new", jwtConfig(), "token/new"},
	} {
		timed(t, string(r.op)+" "+r.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.reload()
			w.slow(5 * time.Second)
			synctest.Wait()
			before := len(w.disk.accesses())
			answer := w.asyncRequest(t.Context(), r.op, r.path, r.data)
			elapse(time.Second)
			if got := w.logins(); got != 1 {
				t.Fatalf("%d logins are in flight, want 1", got)
			}
			if accesses := w.disk.accesses()[before:]; !slices.Contains(accesses, storePut+" "+r.key) {
				t.Errorf("a login is in flight, and storage knows nothing of it: %q", accesses)
			}
			w.wait(answer)
		})
	}
}

// TestATokenWhoseAccountCannotBeReadAfterItsVerification: the engine tells the ledger of the token in the background, where a panic
// would end the process with every mount in it.
func TestATokenWhoseAccountCannotBeReadAfterItsVerification(t *testing.T) {
	t.Parallel()
	timed(t, "a new config", func(t *testing.T) {
		w := jwtV1().mounted(t)
		stored, struck := false, false
		w.disk.set(func(_ int, call string) blow {
			switch {
			case call == "put config/new":
				stored = true
			case call == "put token/new" && stored:
				struck = true
				return blow{err: errStorage()}
			}
			return blow{}
		})
		resp, err := w.do(t.Context(), logical.CreateOperation, "config/new", jwtConfig())
		if err != nil || resp == nil || len(resp.Warnings) != 1 {
			t.Errorf("the write answered %v, %v; want a warning that the token could not be stored", resp, err)
		}
		synctest.Wait() // the ledger is told
		w.disk.set(nil)
		if !struck {
			t.Fatal("storage was not told of the token after the config was stored: this tests nothing")
		}
		if got := text(t, w.read("status/new").Data, "state"); got == "" {
			t.Error("the new config has no state")
		}
		tokens, is := w.read("ledger/new").Data["tokens"].([]any)
		if !is || len(tokens) != 1 {
			t.Errorf("the ledger has %d tokens of the new config, want the one of the verification", len(tokens))
		}
	})
}

func TestAnEntryThatIsDamagedDoesNotHideAllOthersFromAList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ damaged, path string }{
		{"config/hurt", "config/"}, {"config/hurt", "status/"}, {"token/hurt", "status/"}, {"role/hurt", "role/"},
	} {
		timed(t, c.damaged+" in "+c.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.write("config/hurt", with(jwtV1().config, "verify_connection", false))
			w.write("role/hurt", map[string]any{"config": "hurt"})
			names := []string{"app", "hurt"}
			if c.path != "role/" {
				names[0] = "gst"
			}
			w.put(c.damaged, `{"schema":1,"canary`)
			w.reload()
			resp, err := w.do(t.Context(), logical.ListOperation, c.path, nil)
			if r, refused := asRefusal(resp, err); refused {
				t.Fatalf("no list: %v", r)
			}
			if keys := resp.Data["keys"]; !reflect.DeepEqual(keys, names) {
				t.Errorf("lists %v, want %v", keys, names)
			}
			info, _ := resp.Data["key_info"].(map[string]any)
			if info[names[0]] == nil || info["hurt"] != nil {
				t.Errorf("details %v, want those of %s alone", info, names[0])
			}
			warnings := strings.Join(resp.Warnings, " ")
			w.says(warnings, c.damaged)
			w.hides(warnings, "canary")
		})
	}
}
