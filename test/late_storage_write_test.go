// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// landsLate sends a write whose caller gets an error from storage, has a reader come, and has the write land then. from and to are
// what differs between the entry of before and that of the write.
func (s *testMount) landsLate(path string, data map[string]any, from, to string) {
	s.t.Helper()
	before, err := s.Storage.Entries.Get(s.t.Context(), path)
	check.Require(s.t, err == nil && bytes.Contains(before.Value, []byte(from)),
		"the entry of %s is not as thought (%v): %s", path, err, before.Value)
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
func TestConfig_LateWriteIsNoticed(t *testing.T) {
	t.Parallel()
	for name, repeated := range map[string]bool{"paused": false, "paused, and the command is repeated": true} {
		timed(t, name, func(t *testing.T) {
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
	}
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
