// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// recoveryTimeout bounds the wait for a good read after a kill. The backoff after an interrupted login is about a second;
	// the rest is for a loaded machine.
	recoveryTimeout = 30 * time.Second
	// shortPause is the longest that a message may announce of the backoff after an interrupted login: a second and its
	// jitter, and the rounding of the time in the message.
	shortPause = 2500 * time.Millisecond
	// cutOff is the reason in the message.
	cutOff = "cut off when the plugin stopped"
	// storeTimeout bounds how long after the upstream has responded to a login its token may still be on its way into storage.
	storeTimeout = time.Second
	// forcedEvery is how soon after an operator's login that has succeeded the next one is made.
	forcedEvery = 10 * time.Second
	// arriveTimeout bounds how long after a kill a login that was sent before it may reach the upstream. It is shorter than a
	// start of the plugin.
	arriveTimeout = 100 * time.Millisecond
)

// TestCrash_TwentyUnderReaders kills the plugin's process again and again, under readers: while they read, in the middle of a
// login that they wait for, of a forced one and of one in the background.
func TestCrash_TwentyUnderReaders(t *testing.T) {
	t.Parallel()
	c := newCrashes(t)
	for _, kill := range []struct {
		kind  string
		times int
		once  func(t *testing.T, n int)
	}{
		{"reads", 5, c.duringReads},
		{"reads, and again as soon as it was back", 1, c.twice},
		{"a cold login", 4, c.duringColdLogin},
		{"the end of a login", 3, c.atEndOfLogin},
		{"a forced login", 2, c.duringForcedLogin},
		{"a verification", 1, c.duringVerification},
		{"a rotation", 3, c.duringRotation},
	} {
		var took []time.Duration
		for n := range kill.times {
			kill.once(t, n)
			took = append(took, c.recovered[len(c.recovered)-1])
		}
		t.Logf("killed in the middle of %s: %d times; until the next good read: %s", kill.kind, kill.times, medianAndMax(took))
	}
	c.readers.end()
	c.wantTwentyKills(t)
	c.wantLoginsFor(t)
	c.wantFailuresExplained(t)
	c.readers.wantNothingWrong(t)
	c.wantLeasesIntact(t)
}

// crashes is the fixture of the test above, and what it has seen.
type crashes struct {
	*testVault

	readers *readers
	client  *api.Client
	// steady accounts log in once and never again. The token of cold is revoked before each login, turning has a new one every
	// few seconds.
	steady        []source
	cold, turning source

	began       time.Time
	kills       []crash
	recovered   []time.Duration // from each kill to the next good read
	interrupted int             // reads that were under way at a kill
	asked       int             // logins that an operator requested and that succeeded
	coldOnes    int             // logins that cold's readers needed
	paused      int             // responses that report the short backoff
	ended       []string        // leases that were ended right after a kill
}

// crash is one kill of the plugin.
type crash struct {
	window // from the kill to the recovery from it

	pid       int
	loggingIn []source // accounts in the middle of whose login it was meant to be
}

func newCrashes(t *testing.T) *crashes {
	t.Helper()
	w := newTestVault(t)
	if _, err := w.RunningPlugins(); errors.Is(err, harness.ErrNoProc) {
		t.Skip(err)
	}
	client := w.rootClient(t)
	c := &crashes{testVault: w, client: client, began: time.Now()}
	add := func(name string, account simulator.Account, config ...string) source {
		account = w.upstream.addAccount(t, account)
		w.writeConfig(t, name, account, config...)
		w.writeRole(t, name, name)
		return source{path: "mastersindia/token/" + name, config: name, account: account}
	}
	c.steady = []source{
		add("jwt", simulator.Account{Protocol: simulator.JWT}),
		add("soap", simulator.Account{Protocol: simulator.SOAP}),
	}
	w.writeRole(t, "unleased", "jwt", "lease=false")
	unleased := c.steady[0]
	unleased.path = "mastersindia/token/unleased"
	c.cold = add("cold", simulator.Account{Protocol: simulator.OAuth})
	// One percent of ten minutes: a rotation every six seconds, under a token that lives on for long.
	c.turning = add("turning", simulator.Account{Protocol: simulator.FirstVision, TokenTTL: 10 * time.Minute}, "rotation_percent=1")
	c.readers = w.startReaders(t, append([]source{unleased, c.cold, c.turning, c.turning}, c.steady...)...)
	for _, s := range append([]source{unleased, c.cold, c.turning}, c.steady...) {
		c.readers.waitForGood(t, s, recoveryTimeout)
	}
	return c
}

// kill ends the plugin, in the middle of a login of the given accounts.
func (c *crashes) kill(t *testing.T, loggingIn ...source) {
	t.Helper()
	c.killProcess(t, c.find(t), loggingIn...)
}

func (c *crashes) find(t *testing.T) int {
	t.Helper()
	pid, err := c.PluginPID()
	check.Require(t, err == nil, "kill %d: %v; the server's log is %s", len(c.kills)+1, err, c.ServerLog())
	return pid
}

// killProcess ends the plugin's process. What is under way at that moment is counted.
func (c *crashes) killProcess(t *testing.T, pid int, loggingIn ...source) {
	t.Helper()
	c.interrupted += c.readers.underWay()
	began := time.Now() // a read can fail as soon as the signal is sent, before the call returns
	check.NoError(t, harness.KillProcess(pid))
	c.kills = append(c.kills, crash{window{from: began}, pid, loggingIn})
}

// cutLogins counts the kills in the middle of a login of the source: those that were meant to be, and those that hit a rotation
// of turning, whose time may come at any kill.
func (c *crashes) cutLogins(s source) (cut int) {
	var rotations []time.Time
	if s == c.turning {
		rotations = c.upstream.loginTimes(c.upstream.moments, s.account.Protocol)
	}
	for _, k := range c.kills {
		hit := func(moment time.Time) bool {
			return moment.After(k.from.Add(-storeTimeout)) && moment.Before(k.from.Add(arriveTimeout))
		}
		if slices.Contains(k.loggingIn, s) || slices.ContainsFunc(rotations, hit) {
			cut++
		}
	}
	return cut
}

// recover waits for a good read of the source and then of all others, and returns the errors that came before the first.
func (c *crashes) recover(t *testing.T, first source) []error {
	t.Helper()
	last := &c.kills[len(c.kills)-1]
	failed := c.readers.waitForGood(t, first, recoveryTimeout)
	c.recovered = append(c.recovered, time.Since(last.from))
	for _, s := range append([]source{c.cold, c.turning}, c.steady...) {
		c.readers.waitForGood(t, s, recoveryTimeout)
	}
	last.to = time.Now()
	return failed
}

// duringReads kills while reads are under way. In every other round the first request after that ends a lease.
func (c *crashes) duringReads(t *testing.T, n int) {
	c.readers.burst(t, c.steady[n%2])
	c.kill(t)
	if n%2 == 1 {
		c.endLease(t)
	}
	c.recover(t, c.steady[n%2])
}

// endLease ends the newest lease. It retries if Vault reports that the plugin was not running.
func (c *crashes) endLease(t *testing.T) {
	t.Helper()
	leases := c.leasesRead()
	lease := leases[len(leases)-1]
	c.ended = append(c.ended, lease)
	check.Eventually(t, recoveryTimeout, "a lease cannot be ended after a kill", func() bool {
		err := c.client.Sys().RevokeWithContext(t.Context(), lease)
		check.Require(t, err == nil || strings.Contains(err.Error(), "code = Unavailable"),
			"ending a lease right after a kill: %v", err)
		return err == nil
	})
}

// twice kills, and kills again the process that Vault has started in its place as soon as that has responded. (Not sooner: a
// plugin that ends within its own start is for Vault to get over, and it was seen once not to within half a minute.)
func (c *crashes) twice(t *testing.T, _ int) {
	c.readers.burst(t, c.steady[0])
	c.kill(t)
	c.readers.waitForGood(t, c.steady[0], recoveryTimeout)
	first := len(c.kills) - 1
	c.kill(t)
	c.kills[first].to = c.kills[first+1].from
	c.recover(t, c.steady[0])
}

// duringColdLogin kills while readers without a token wait for a login.
func (c *crashes) duringColdLogin(t *testing.T, _ int) {
	c.startColdLogin(t, time.Minute)
	c.kill(t, c.cold)
	c.coldOnes++
	c.recover(t, c.cold)
	c.wantShortPause(t)
}

// atEndOfLogin kills around the moment when the upstream has responded: once just before, then as soon as it has, so that
// the token may be on its way, or in memory and not yet in storage.
func (c *crashes) atEndOfLogin(t *testing.T, n int) {
	const takes, early = 400 * time.Millisecond, 20 * time.Millisecond
	pid, before := c.find(t), c.countsOf(c.cold)
	c.startColdLogin(t, takes)
	if n == 0 {
		<-time.After(takes - early)
	} else {
		c.waitForResponse(t, before.LoginsOK)
	}
	c.killProcess(t, pid, c.cold)
	c.coldOnes++
	c.recover(t, c.cold)
	made := c.countsOf(c.cold).Logins - before.Logins
	check.True(t, made <= 2, "a login that was killed at its end led to %d logins, want at most 2", made)
}

// waitForResponse returns at the moment when the upstream has responded to the login of cold.
func (c *crashes) waitForResponse(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(recoveryTimeout)
	for c.countsOf(c.cold).LoginsOK == before {
		check.Require(t, !time.Now().After(deadline), "upstream has not responded within %s", recoveryTimeout)
		runtime.Gosched()
	}
}

// startColdLogin takes the token out of use and waits until a reader has caused the next login, which the upstream holds up.
func (c *crashes) startColdLogin(t *testing.T, delay time.Duration) {
	t.Helper()
	c.slow(t, c.cold, delay, func() {
		check.Value(c.client.Logical().WriteWithContext(t.Context(), "mastersindia/revoke/"+c.cold.config, nil))(t)
	})
}

// slow holds up the next login of the account, and returns when that has reached the upstream.
func (c *crashes) slow(t *testing.T, s source, delay time.Duration, cause func()) {
	t.Helper()
	c.upstream.SetFault(s.account.Protocol, simulator.Fault{Kind: simulator.FaultSlow, Delay: delay, Remaining: 1})
	before := c.upstream.Counters().Faulted
	cause()
	check.Eventually(t, recoveryTimeout, "no login of "+s.config+" has come; the server's log is "+c.ServerLog(), func() bool {
		return c.upstream.Counters().Faulted != before
	})
}

// duringForcedLogin kills while an operator's own login is under way. Vault asks the new process again by itself, mostly in vain.
func (c *crashes) duringForcedLogin(t *testing.T, _ int) {
	if c.asked > 0 { // the one before has succeeded
		<-time.After(forcedEvery)
	}
	c.duringLogin(t, func() error {
		_, err := c.client.Logical().WriteWithContext(t.Context(), "mastersindia/rotate/"+c.cold.config, nil)
		return err
	})
}

// duringVerification kills while a changed config is tried. Vault asks the new process again by itself.
func (c *crashes) duringVerification(t *testing.T, n int) {
	c.duringLogin(t, func() error {
		_, err := c.client.Logical().WriteWithContext(t.Context(), "mastersindia/config/"+c.cold.config,
			map[string]any{"headers": map[string]any{"X-Round": fmt.Sprint(n)}})
		return err
	})
}

// duringLogin kills in the middle of a login that an operator's request makes.
func (c *crashes) duringLogin(t *testing.T, ask func() error) {
	t.Helper()
	done := make(chan error, 1)
	c.slow(t, c.cold, time.Minute, func() { go func() { done <- ask() }() })
	c.kill(t, c.cold)
	// The token that was to be replaced lives on.
	if failed := c.recover(t, c.cold); mentions(failed, cutOff) {
		t.Errorf("a login that was asked for and cut off kept readers from the token that lives: %v", errors.Join(failed...))
	}
	if err := <-done; err == nil {
		c.asked++
	} else if statusOf(err) != http.StatusInternalServerError && !strings.Contains(err.Error(), cutOff) { // of the new process
		t.Errorf("a request in the middle of whose login the plugin was killed: %v", err)
	}
}

// duringRotation kills while the engine replaces a token in the background.
func (c *crashes) duringRotation(t *testing.T, _ int) {
	c.slow(t, c.turning, time.Minute, func() {})
	c.kill(t, c.turning)
	if failed := c.recover(t, c.turning); mentions(failed, cutOff) {
		t.Errorf("a rotation that was cut off kept readers from the token that lives: %v", errors.Join(failed...))
	}
	// The next rotation comes by itself.
	before := c.countsOf(c.turning).LoginsOK
	check.Eventually(t, recoveryTimeout,
		"no rotation followed the one that was cut off; the server's log is "+c.ServerLog(), func() bool {
			return c.countsOf(c.turning).LoginsOK != before
		})
}

// wantShortPause checks the errors of readers of cold since the last kill: that a login was cut off, and a time of the next
// attempt that is seconds away.
func (c *crashes) wantShortPause(t *testing.T) {
	t.Helper()
	last, seen := c.kills[len(c.kills)-1], 0
	for _, f := range failed(c.readers.all()) {
		if f.end.Before(last.from) || !strings.Contains(f.err.Error(), cutOff) {
			continue
		}
		seen++
		match := regexp.MustCompile(`next attempt at (\S+Z)`).FindStringSubmatch(f.err.Error())
		if match == nil || statusOf(f.err) != http.StatusServiceUnavailable || f.source != c.cold {
			t.Errorf("want a 503 for a reader of cold with the time of the next attempt, got for %s: %s", f.source.path, f.err.Error())
			continue
		}
		next := check.Value(time.Parse(time.RFC3339, match[1]))(t)
		pause := next.Sub(f.end) // a read that began at the kill has waited for the plugin's start
		check.True(t, pause <= shortPause, "the backoff after an interrupted login is %s long, want at most %s", pause, shortPause)
	}
	check.True(t, seen != 0, "no reader got the error that a login was cut off")
	c.paused += seen
}

func (c *crashes) leasesRead() (leases []string) {
	for _, read := range good(c.readers.all()) {
		if read.leaseID != "" {
			leases = append(leases, read.leaseID)
		}
	}
	return leases
}

func mentions(failed []error, words string) bool {
	return slices.ContainsFunc(failed, func(err error) bool { return strings.Contains(err.Error(), words) })
}

func (c *crashes) wantTwentyKills(t *testing.T) {
	t.Helper()
	killed := map[int]bool{}
	for _, k := range c.kills {
		killed[k.pid] = true
	}
	check.True(t, len(c.kills) == 20 && len(killed) == 20, "killed %d times %d processes, want 20 different ones", len(c.kills), len(killed))
	check.True(t, c.interrupted != 0, "no read was under way at any kill: this test proves nothing")
	t.Logf("20 kills, %d reads under way at them; until the next good read: %s", c.interrupted, medianAndMax(c.recovered))
	t.Logf("%d responses reported the backoff after an interrupted login", c.paused)
}

// wantLoginsFor checks the logins of each account: no kill costs more than the one that it cut off.
func (c *crashes) wantLoginsFor(t *testing.T) {
	t.Helper()
	lasted := time.Since(c.began)
	for _, s := range append([]source{c.cold, c.turning}, c.steady...) {
		counts, cut := c.countsOf(s), c.cutLogins(s)
		lost := counts.Logins - counts.LoginsOK
		t.Logf("%s: %d logins, %d of them cut off, %d good reads", s.config, counts.Logins, lost, c.readers.goodReads(s))
		needed := 1
		switch s {
		case c.cold:
			needed += c.coldOnes + c.asked
		case c.turning:
			needed += int(lasted / (6 * time.Second))
		}
		if extra := counts.Logins - needed; lost > cut || extra > cut {
			t.Errorf("%s: %d logins came to nothing and %d were more than needed, with %d kills in the middle of one",
				s.config, lost, extra, cut)
		}
	}
}

// wantFailuresExplained checks that each read that failed was hit by a kill, or reports the backoff after one.
func (c *crashes) wantFailuresExplained(t *testing.T) {
	t.Helper()
	interrupted, paused := 0, 0
	windows := make([]window, len(c.kills))
	for n, k := range c.kills {
		windows[n] = k.window
	}
	said := map[string]int{}
	for _, f := range failed(c.readers.all()) {
		said[fmt.Sprintf("%d %s", statusOf(f.err), shortened(f.err.Error()))]++
		switch {
		case !f.within(windows):
			t.Errorf("%s failed although nothing was killed: %s", f.source.path, f.err.Error())
		case strings.Contains(f.err.Error(), cutOff) && f.source.path == c.cold.path:
			paused++
		case statusOf(f.err) == http.StatusInternalServerError && !strings.Contains(f.err.Error(), "config"):
			interrupted++
		default:
			t.Errorf("%s failed in another way than a kill explains: %s", f.source.path, f.err.Error())
		}
	}
	t.Logf("%d reads were interrupted by a kill and failed, %d failed during the backoff", interrupted, paused)
	for what, times := range said {
		t.Logf("%d × %s", times, what)
	}
}

func shortened(said string) string {
	_, what, _ := strings.Cut(said, "* ")
	return strings.TrimSpace(what[:min(len(what), 120)])
}

// wantLeasesIntact checks that Vault knows each lease that a reader was given, and can end them all.
func (c *crashes) wantLeasesIntact(t *testing.T) {
	t.Helper()
	known := map[string]bool{}
	for _, s := range append([]source{c.cold, c.turning}, c.steady...) {
		list, err := c.client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+s.path)
		check.Require(t, err == nil && list != nil, "listing the leases of %s: %v, %v", s.path, list, err)
		for _, key := range list.Data["keys"].([]any) {
			known[s.path+"/"+key.(string)] = true
		}
	}
	held := c.leasesRead()
	lost := slices.DeleteFunc(slices.Clone(held), func(id string) bool { return known[id] })
	t.Logf("%d leases were given out, %d are known, %d were ended right after a kill", len(held), len(known), len(c.ended))
	check.True(t, slices.Equal(slices.Sorted(slices.Values(lost)), slices.Sorted(slices.Values(c.ended))),
		"Vault does not know the leases %v, want %v", lost, c.ended)
	for n := 0; n < len(held); n += max(1, len(held)/50) {
		if !known[held[n]] {
			continue
		}
		found, err := c.client.Sys().LookupWithContext(t.Context(), held[n])
		check.True(t, err == nil && found.Data["expire_time"] != nil, "the lease %s cannot be looked up: %v", held[n], err)
	}
	c.vault(t, "lease", "revoke", "-sync", "-prefix", "mastersindia/")
	c.wantNoLeases(t)
	c.wantNoLeasesAt(t, "mastersindia/token/")
}

func (w *testVault) wantNoLeasesAt(t *testing.T, path string) {
	t.Helper()
	client := w.rootClient(t)
	list := check.Value(client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+path))(t)
	check.True(t, list == nil, "Vault still has leases below %s: %v", path, list)
}

// medianAndMax describes durations for a log.
func medianAndMax(all []time.Duration) string {
	sorted := slices.Sorted(slices.Values(all))
	if len(sorted) == 0 {
		return "none"
	}
	return fmt.Sprintf("median %s, max %s", sorted[len(sorted)/2].Round(time.Millisecond),
		sorted[len(sorted)-1].Round(time.Millisecond))
}
