// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestMounts_FaultsStayInOneMount has the engine at three paths, with configs and roles of the same names and accounts
// of their own, and lets one of them hang, crash, be reloaded and be disabled.
func TestMounts_FaultsStayInOneMount(t *testing.T) {
	t.Parallel()
	m := newMounts(t)
	for _, step := range []struct {
		what string
		run  func(t *testing.T)
	}{
		{"a login of one hangs", m.hang},
		{"the process is killed while a login of one hangs", func(t *testing.T) { m.startHanging(t); m.kill(t) }},
		{"the process is killed while all are read", m.kill},
		{"one is reloaded", m.reload},
		{"one is disabled with leases out", m.disable},
		{"the process is killed once more", m.kill},
	} {
		began := time.Now()
		step.run(t)
		m.readers.wantNothingWrong(t)
		t.Logf("%s: %s; %d good reads so far", step.what, time.Since(began).Round(time.Millisecond), m.readers.goodReads(m.all...))
		check.Require(t, !t.Failed(), "after this: %s; the server's log is %s", step.what, m.ServerLog())
	}
	m.readers.end()
	m.killTwiceUnnoticed(t)
	m.readers.wantNothingWrong(t)
	m.wantFailuresInWindows(t)
	for _, s := range append(m.all, m.doomed) {
		counts := m.countsOf(s)
		t.Logf("%s: %d logins, %d of them cut off", s.path, counts.Logins, counts.Logins-counts.LoginsOK)
		check.True(t, s == m.hanging || counts.Logins == 1,
			"%s has logged in %d times, want once: what happened to others is none of its business", s.path, counts.Logins)
	}
	m.vault(t, "lease", "revoke", "-sync", "-prefix", m.all[0].path)
	m.vault(t, "lease", "revoke", "-sync", "-prefix", m.hanging.path)
	m.wantNoLeases(t)
	m.wantNoLeasesAt(t, m.hanging.path)
}

type mounts struct {
	*testVault

	readers *readers
	all     []source
	// hanging is the one whose logins are held up, doomed the one that is disabled.
	hanging, doomed source
	// replaced are the times in which any read may fail, since the process was being replaced; hung those in which reads of the
	// hanging mount may.
	replaced, hung []window
	// disabled is when the doomed mount was.
	disabled time.Time
}

func newMounts(t *testing.T) *mounts {
	t.Helper()
	w := newTestVault(t)
	if _, err := w.RunningPlugins(); errors.Is(err, harness.ErrNoProc) {
		t.Skip(err)
	}
	m := &mounts{testVault: w}
	for _, mount := range []string{harness.PluginName, "second", "third"} {
		if mount != harness.PluginName {
			w.vault(t, "secrets", "enable", "-path="+mount, harness.PluginName)
		}
		account := w.account(t, simulator.JWT)
		stdin, args := w.configCommand(t, "main", account)
		args[1] = mount + "/config/main"
		check.Value(w.CLI.Must(t.Context(), stdin, args...))(t)
		w.vault(t, "write", mount+"/role/app", "config=main")
		m.all = append(m.all, source{path: mount + "/token/app", config: "main", account: account})
	}
	m.hanging, m.doomed = m.all[1], m.all[2]
	m.wantOneProcess(t)
	m.readers = w.startReaders(t, m.all...)
	m.waitForAll(t, m.all)
	m.readers.wantNothingWrong(t)
	if t.Failed() {
		t.FailNow()
	}
	return m
}

func (m *mounts) others(but source) []source {
	var others []source
	for _, s := range m.all {
		if s != but {
			others = append(others, s)
		}
	}
	return others
}

func (m *mounts) wantOneProcess(t *testing.T) {
	t.Helper()
	running, err := m.RunningPlugins()
	check.Require(t, err == nil && len(running) == 1, "%d mounts run in the processes %v (%v), want one", len(m.all), running, err)
}

func (m *mounts) waitForAll(t *testing.T, sources []source) {
	t.Helper()
	for _, s := range sources {
		m.readers.waitForGood(t, s, recoveryTimeout)
	}
}

// during runs something that replaces the process, and waits for all who are left after it.
func (m *mounts) during(t *testing.T, cause func()) {
	t.Helper()
	began := time.Now()
	cause()
	m.waitForAll(t, m.all)
	m.replaced = append(m.replaced, window{from: began, to: time.Now()})
	m.wantOneProcess(t)
}

// startHanging holds up a login of the hanging mount until its timeout, and returns once that is under way.
func (m *mounts) startHanging(t *testing.T) {
	t.Helper()
	before := m.countsOf(m.hanging).Logins
	m.upstream.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Minute, Remaining: 1})
	mount, _, _ := strings.Cut(m.hanging.path, "/")
	m.vault(t, "write", "-f", mount+"/revoke/main")
	check.Eventually(t, recoveryTimeout, "no reader has caused a login; the server's log is "+m.ServerLog(), func() bool {
		return m.countsOf(m.hanging).Logins != before
	})
}

// hang lets a login of one mount hang: the others are read, changed and asked for their status meanwhile.
func (m *mounts) hang(t *testing.T) {
	m.startHanging(t)
	began, before := time.Now(), m.countsOf(m.hanging)
	for range 25 {
		for _, s := range m.others(m.hanging) {
			_, err := m.readers.read(t.Context(), s)
			check.True(t, err == nil, "while a login of %s hangs: %v", m.hanging.path, err)
		}
	}
	for _, s := range m.others(m.hanging) {
		mount, _, _ := strings.Cut(s.path, "/")
		m.vault(t, "read", mount+"/status/main")
		m.vault(t, "write", mount+"/role/other", "config=main")
	}
	if now := m.countsOf(m.hanging); now != before {
		t.Errorf("the login of %s that was to hang has ended: the reads of the others waited for it, or took very long (%+v)",
			m.hanging.path, now)
	}
	// It ends by the account's own timeout, of 15 s, and the next login after the backoff is not delayed.
	m.waitForAll(t, m.all)
	m.hung = append(m.hung, window{from: began, to: time.Now()})
}

func (m *mounts) kill(t *testing.T) { m.during(t, func() { check.Value(m.KillPlugin())(t) }) }

// killTwiceUnnoticed kills the process twice, and between the two only one mount is read. Vault starts a dead process again for
// the mount that it last started it for; others find it dead until that one is asked for something, which Vault itself does
// once a minute.
func (m *mounts) killTwiceUnnoticed(t *testing.T) {
	t.Helper()
	began := time.Now()
	check.Value(m.KillPlugin())(t)
	noticed := m.others(m.hanging)[0]
	m.readers.waitForGood(t, noticed, recoveryTimeout)
	check.Value(m.KillPlugin())(t)
	killed := time.Now()
	m.readers.waitForGood(t, m.hanging, 2*time.Minute)
	t.Logf("a mount that was not read between two kills is back after %s", time.Since(killed).Round(100*time.Millisecond))
	m.waitForAll(t, m.all)
	m.replaced = append(m.replaced, window{from: began, to: time.Now()})
	m.wantOneProcess(t)
}

// reload reloads one mount, for which Vault ends the process of all. The command "vault plugin reload -mounts" asks for a path
// that Vault 1.21 does not have.
func (m *mounts) reload(t *testing.T) {
	m.during(t, func() { m.vault(t, "write", "sys/plugins/reload/backend", "mounts=second/") })
}

func (m *mounts) disable(t *testing.T) {
	mount, _, _ := strings.Cut(m.doomed.path, "/")
	m.disabled = time.Now()
	m.vault(t, "secrets", "disable", mount)
	m.wantNoLeasesAt(t, m.doomed.path)
	m.all = m.others(m.doomed)
	for range 10 {
		for _, s := range m.all {
			if _, err := m.readers.read(t.Context(), s); err != nil {
				t.Errorf("after %s was disabled: %v", mount, err)
			}
		}
	}
	if _, err := m.readers.read(t.Context(), m.doomed); err == nil {
		t.Errorf("%s was disabled and gives tokens", mount)
	}
	m.wantOneProcess(t)
}

// wantFailuresInWindows checks that reads failed only while the process was being replaced, and those of the hanging mount
// while its login hung.
func (m *mounts) wantFailuresInWindows(t *testing.T) {
	t.Helper()
	failures := map[string]int{}
	for _, f := range failed(m.readers.all()) {
		failures[f.source.path]++
		excused := f.within(m.replaced) || f.source == m.hanging && f.within(m.hung) || f.source == m.doomed && f.end.After(m.disabled)
		check.True(t, excused, "%s failed although nothing had happened to it: %v", f.source.path, f.err)
	}
	t.Logf("reads that failed while the process was replaced, or the mount's own login hung: %v", failures)
}
