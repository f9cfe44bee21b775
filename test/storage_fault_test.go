// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// storageFault is an access that fails, and a request that needs it.
type storageFault struct {
	access, prefix string
	op             logical.Operation
	path           string
	data           map[string]any
}

func (f storageFault) String() string {
	return f.access + " " + f.prefix + " for " + string(f.op) + " " + f.path
}

func storageFaults() []storageFault {
	untried := jwtConfig("verify_connection", false)
	return []storageFault{
		{mounttest.Get, "config/", logical.ReadOperation, "config/gst", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{mounttest.Get, "config/", logical.UpdateOperation, "config/new", jwtConfig()},
		{mounttest.Get, "config/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{mounttest.Get, "config/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Get, "config/", logical.UpdateOperation, "revoke/gst", nil},
		{mounttest.Get, "config/", logical.ReadOperation, "status/gst", nil},
		{mounttest.Get, "config/", logical.ListOperation, "config/", nil},
		{mounttest.Put, "config/", logical.UpdateOperation, "config/new", untried},
		{mounttest.Put, "config/", logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{mounttest.Delete, "config/", logical.DeleteOperation, "config/gst", nil},
		{mounttest.List, "config/", logical.ListOperation, "config/", nil},
		{mounttest.List, "config/", logical.ListOperation, "status/", nil},
		{mounttest.Get, "role/", logical.ReadOperation, "role/app", nil},
		{mounttest.Get, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{mounttest.Get, "role/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "role/", logical.ListOperation, "role/", nil},
		{mounttest.Put, "role/", logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60}},
		{mounttest.Put, "role/", logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{mounttest.Delete, "role/", logical.DeleteOperation, "role/app", nil},
		{mounttest.List, "role/", logical.ListOperation, "role/", nil},
		{mounttest.Get, "token/", logical.ReadOperation, "token/app", nil},
		{mounttest.Get, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Get, "token/", logical.UpdateOperation, "revoke/gst", nil},
		{mounttest.Get, "ledger/", logical.ReadOperation, "ledger/gst", nil},
		{mounttest.List, "ledger/", logical.ListOperation, "ledger/", nil},
		// An attempt that cannot be noted is not made.
		{mounttest.Put, "token/", logical.ReadOperation, "token/app", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "token/app", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "rotate/gst", nil},
		{mounttest.Put, "token/", logical.UpdateOperation, "config/new", jwtConfig()},
		{mounttest.Put, "token/", logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"}},
	}
}

func TestStorageFault_ClearErrorWithoutEffect(t *testing.T) {
	eachOf(t, storageFaults(), func(t *testing.T, fault storageFault) {
		w := jwtV1().mounted(t)
		w.Reload() // with nothing in memory
		w.idle(func() {
			w.Storage.Fail(fault.access, fault.prefix, mounttest.ErrStorage())
			r := w.refusal(fault.op, fault.path, fault.data)
			check.True(t, r.status >= http.StatusInternalServerError && !strings.Contains(r.message, "does not exist"),
				"%v: unreadable is not absent, want a failure of the server", r)
			w.says(r.message, fault.prefix, mounttest.ErrStorage().Error())
			w.hides(r.message, jwtV1().secrets()...)
			w.Storage.Heal()
		})
		advance(2 * time.Minute)
		r, refused := asRefusal(w.do(t.Context(), fault.op, fault.path, fault.data))
		check.True(t, !refused, "storage is well again, and yet: %v", r)
	})
}

func TestStorageFault_ReadOnlyErrorPassedThrough(t *testing.T) {
	// Over gRPC an error keeps only its text: callers that look for the text must find it, and nothing else.
	readOnly := errors.New(logical.ErrReadOnly.Error())
	eachOf(t, storageFaults(), func(t *testing.T, fault storageFault) {
		if fault.access != mounttest.Put && fault.access != mounttest.Delete {
			return
		}
		w := jwtV1().mounted(t)
		w.Reload()
		w.idle(func() {
			w.Storage.Fail(fault.access, fault.prefix, readOnly)
			r := w.refusal(fault.op, fault.path, fault.data)
			check.True(t, r.message == logical.ErrReadOnly.Error(), "returned %q, want %q alone", r.message, logical.ErrReadOnly)
			w.Storage.Heal()
		})
	})
}

func TestStorageFault_PartialDeleteLeavesNoToken(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		old := w.read("token/app").Data["token_id"]
		synctest.Wait() // for the ledger, without which the record is kept
		w.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		w.says(w.remove("config/gst"), "Vault's storage has not deleted the record of its tokens yet "+
			"(writing the storage entry token/gst: "+mounttest.ErrStorage().Error()+")")
		w.Storage.Heal()
		w.Reload()
		w.remove("config/gst")
		w.mount(jwtV1())
		w.loggingIn(1, func() {
			check.True(t, w.read("token/app").Data["token_id"] != old, "the token of the deleted config is served")
		})
	})
}

// The ledger is written in the background, where a panic would end the process with every mount in it.
func TestStorageFault_AccountUnreadableAfterVerification(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		stored, struck := false, false
		w.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
			switch {
			case access == mounttest.Put && key == "config/new":
				stored = true
			case access == mounttest.Put && key == "token/new" && stored:
				struck = true
				return mounttest.Fault{Err: mounttest.ErrStorage()}
			}
			return mounttest.Fault{}
		})
		check.Contains(t, warningsOf(w.write("config/new", jwtConfig())), "Its token is not stored yet")
		synctest.Wait() // the ledger is written
		w.Storage.Heal()
		check.Require(t, struck, "the token was not saved after the config: this tests nothing")
		check.True(t, text(t, w.read("status/new").Data, "state") != "", "the new config has no state")
		tokens, is := w.read("ledger/new").Data["tokens"].([]any)
		check.True(t, is && len(tokens) == 1, "the ledger has %d tokens of the new config, want the one of the verification", len(tokens))
	})
}

// landsLate sends a write that fails and lands after a read. from and to are what it changes in the entry.
func (s *testMount) landsLate(path string, data map[string]any, from, to string) {
	s.t.Helper()
	before, err := s.Storage.Entries.Get(s.t.Context(), path)
	check.Require(s.t, err == nil && bytes.Contains(before.Value, []byte(from)), "the entry of %s: %v, %s", path, err, before.Value)
	s.Storage.Fail(mounttest.Put, path, errors.New("storage: the leader was lost while the write was being replicated"))
	message := s.refused(logical.UpdateOperation, path, data)
	check.Require(s.t, strings.Contains(message, "leader was lost"), "the write ended otherwise: %s", message)
	s.Storage.Heal()
	s.token("app") // in between, by what storage has still
	late := &logical.StorageEntry{Key: path, Value: bytes.Replace(before.Value, []byte(from), []byte(to), 1)}
	check.NoError(s.t, s.Storage.Entries.Put(s.t.Context(), late))
}

// deletionLandsLate is the same for a deletion.
func (s *testMount) deletionLandsLate(path string) {
	s.t.Helper()
	s.Storage.Fail(mounttest.Delete, path, errors.New("storage: the leader was lost"))
	message := s.refused(logical.DeleteOperation, path, nil)
	check.Require(s.t, strings.Contains(message, "leader was lost"), "%v", message)
	s.Storage.Heal()
	s.token("app")
	check.NoError(s.t, s.Storage.Entries.Delete(s.t.Context(), path))
	s.wantAbsent(path)
}

// The operator repeats the command, which finds nothing to change.
func TestConfig_RepeatedAfterWriteThatLandsLate(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		first := s.token("app")
		data := map[string]any{"authorization_scheme": "Token"}
		s.landsLate("config/gst", data, `"authorization_scheme":"JWT"`, `"authorization_scheme":"Token"`)
		s.write("config/gst", data)
		advance(2 * time.Minute)
		a := s.token("app")
		check.True(t, a.data["token_type"] == "Token", "token %s (before: %s) comes as %v", a.id, first.id, a.data["token_type"])
	})
}

func TestRole_RepeatedAfterWriteThatLandsLate(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.write("config/other", jwtConfig("verify_connection", false))
		s.token("app")
		s.landsLate("role/app", map[string]any{"config": "other"}, `"config":"gst"`, `"config":"other"`)
		s.write("role/app", map[string]any{"config": "other"})
		config := s.read("role/app").Data["config"]
		check.Require(t, config == "other", "the role is of config %v: the write did not land", config)
		advance(5 * time.Minute)
		a := s.token("app")
		check.True(t, a.config == "other", "the role names config other, and its readers get the token of %s", a.config)
	})
}

// A write that failed and lands later is in force within minutes; the operator who repeats it finds nothing to change.
func TestConfig_LateWriteIsNoticed(t *testing.T) { //nolint:tparallel // eachOf calls it
	eachOf(t, []bool{false, true}, func(t *testing.T, repeated bool) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		noticed := 10 * time.Minute
		s.landsLate("config/gst", map[string]any{"paused": true}, `"rotation_percent"`, `"paused":true,"rotation_percent"`)
		if repeated {
			s.write("config/gst", map[string]any{"paused": true})
			noticed = 5 * time.Minute
		}
		paused := s.read("config/gst").Data["paused"]
		check.Require(t, paused == any(true), "paused is %v: the write did not land", paused)
		advance(noticed)
		a, err := s.ask(t.Context(), "app", nil)
		check.True(t, err != nil, "token %s is served of a config that is paused, and status/ says %v", a.id, s.status()["state"])
		advance(time.Hour)
		_, _ = s.ask(t.Context(), "app", nil)
		s.wantLogins(1, "since the config is paused")
	})
	for _, path := range []string{"config/gst", "role/app"} {
		timed(t, path+" deleted", func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.EveryMinute()
			s.token("app")
			s.deletionLandsLate(path)
			advance(10 * time.Minute)
			a, err := s.ask(t.Context(), "app", nil)
			check.True(t, err != nil, "token %s is served, and %s is gone", a.id, path)
			advance(time.Hour)
			s.wantLogins(map[string]int{"config/gst": 1, "role/app": 2}[path], "since it is gone")
		})
	}
}

// Storage refuses a write that resumes a config, and the operator takes it back: it must not come into force later.
func TestConfigPause_TakenBackBeforeLateWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour, "paused", true)
		s.EveryMinute()
		s.Storage.Fail(mounttest.Put, "config/gst", errors.New("storage: the leader was lost while the write was being replicated"))
		s.refused(logical.UpdateOperation, "config/gst", map[string]any{"paused": false})
		s.Storage.Heal()
		s.Storage.Reset()
		check.Equal(t, warningsOf(s.write("config/gst", map[string]any{"paused": true})), "", "warnings")
		check.True(t, s.Storage.Count(mounttest.Put) != 0, "nothing was written: the write of before may come into force")
	})
}

func TestStorageOutage_WritesBackOff(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		first := s.token("app")
		advance(30 * time.Minute)
		before, logins := s.Storage.Count(mounttest.Put), s.logins()
		const most = 3000 // after so many it takes writes again, so that this test comes to an end
		s.Storage.FailPuts(most)
		for range 20 * 60 {
			advance(time.Second)
			a, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err == nil && s.Simulator.TokenAlive(a.access), "the token, which lives, was not served: %v", err)
		}
		writes := s.Storage.Count(mounttest.Put) - before
		check.Require(t, writes != 0, "storage was not written to")
		check.True(t, writes <= 300, "%d writes in 20 minutes to a storage that takes none, want a pause between them", writes)
		s.Storage.Heal()
		advance(5 * time.Minute)
		check.True(t, s.token("app").id != first.id, "the token was not rotated later: %d logins, before %d", s.logins(), logins)
	})
}

func TestStorageOutage_UnsavedTokenServed(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		release := s.Upstream.Hold()
		got := make(chan error, 1)
		go func() {
			_, err := s.ask(t.Context(), "app", nil)
			got <- err
		}()
		advance(time.Second) // the login has begun, and that is stored
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		release()
		check.Equal(t, <-got, nil, "a good token was refused since it could not be stored")
		for range 50 {
			s.token("app")
		}
		s.wantLogins(1)
	})
}
