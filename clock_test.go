// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// wrongClocks are the fixtures, and such whose answers tell an absolute time or leave it to the token.
func wrongClocks() []fixture {
	absolute, asString, corrupt := firstVision(), firstVision(), jwtV2()
	absolute.name, absolute.account.AbsoluteExpiry = "firstvision with an absolute expiry", true
	asString.name, asString.account.AbsoluteExpiry, asString.account.ExpiresInAsString = "the same as text", true, true
	corrupt.name, corrupt.account.CorruptHeader = "jwt-v2 with a header that cannot be read", true
	return append(fixtures(), absolute, asString, corrupt)
}

func TestAnUpstreamClockThatIsTenMinutesOffDoesNoHarm(t *testing.T) {
	t.Parallel()
	for _, f := range wrongClocks() {
		for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
			for _, life := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
				timed(t, f.name+" "+life.String()+" off by "+off.String(), func(t *testing.T) {
					startIn(t, 2026)
					f := f.living(life)
					w := newWorld(t, f.account)
					w.sim.SetClockOffset(off)
					w.mount(f, "rotation_percent", 100)
					elapse(300 * time.Millisecond)
					resp := w.read("token/app")
					left := time.Until(moment(t, resp.Data, "expires_at"))
					if left > life+2*time.Second || left < life-2*time.Second {
						t.Errorf("the token ends in %s, want %s", left, life)
					}
					// Served as long as it lives, and alive as long as it is served.
					elapse(resp.Secret.TTL - 2*time.Second)
					token := text(t, resp.Data, "access_token")
					w.quiet(func() {
						if text(t, w.read("token/app").Data, "access_token") != token {
							t.Error("a live token was refused")
						}
					})
					elapse(2 * time.Second)
					if !w.sim.TokenAlive(token) {
						t.Error("the token died before its lease ended")
					}
					elapse(20 * time.Second)
					if next := text(t, w.read("token/app").Data, "access_token"); next == token || !w.sim.TokenAlive(next) {
						t.Error("a dead token is served")
					}
				})
			}
		}
	}
}

func TestAnUpstreamClockThatIsSetRightDoesNoHarm(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		timed(t, "that was off by "+off.String(), func(t *testing.T) {
			w := newWorld(t, jwtV1().living(time.Hour).account)
			w.sim.SetClockOffset(off)
			w.mount(jwtV1())
			w.read("token/app")
			w.sim.SetClockOffset(0)
			for range 20 {
				elapse(10 * time.Minute)
				resp := w.read("token/app")
				if left := seconds(t, resp.Data, "expires_in"); left > time.Hour {
					t.Errorf("the token ends in %s, though it lives for an hour", left)
				}
			}
			if token := text(t, w.read("token/app").Data, "access_token"); !w.sim.TokenAlive(token) {
				t.Error("a dead token is served")
			}
		})
	}
}

// jumpyClock is a host's clock whose wall clock can be set.
type jumpyClock struct {
	began time.Time
	off   atomic.Int64
}

func (c *jumpyClock) jump(d time.Duration) { c.off.Add(int64(d)) }

func (c *jumpyClock) now() time.Time {
	return time.Now().Add(time.Duration(c.off.Load())).UTC().Round(0)
}

func (c *jumpyClock) read() issuer.Reading {
	return issuer.Reading{Wall: c.now(), Elapsed: time.Since(c.began)}
}

// onJumpyClock is a world with the fixture's config and role whose host clock can jump.
func (f fixture) onJumpyClock(t *testing.T, more ...any) (*world, *jumpyClock) {
	t.Helper()
	c := &jumpyClock{began: time.Now()}
	w := newWorldWith(t, func(w *world) { w.clock = c.read }, f.account)
	w.mount(f, more...)
	return w, c
}

func TestATokenThatExpiredWhileTheMachineSleptIsNotServed(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			f := f.living(time.Hour)
			w, clock := f.onJumpyClock(t)
			old := text(t, w.read("token/app").Data, "access_token")
			elapse(time.Minute)
			clock.jump(2 * time.Hour) // asleep: only the wall clock and the world went on
			w.sim.SetClockOffset(2 * time.Hour)
			if w.sim.TokenAlive(old) {
				t.Fatal("the token should be dead")
			}
			resp := w.read("token/app")
			if token := text(t, resp.Data, "access_token"); !w.sim.TokenAlive(token) {
				t.Error("a dead token is served")
			}
			checkLease(t, resp, clock.now())
		})
	}
}

func TestATokenThatSleptThroughPartOfItsLifeIsLeasedForTheRest(t *testing.T) {
	t.Parallel()
	timed(t, "twenty minutes of an hour", func(t *testing.T) {
		w, clock := oauth().onJumpyClock(t)
		old := w.read("token/app").Data["token_id"]
		clock.jump(20 * time.Minute)
		w.quiet(func() {
			resp := w.read("token/app")
			if resp.Data["token_id"] != old {
				t.Error("a live token was refused")
			}
			if got, want := resp.Secret.TTL, 40*time.Minute-margin; got > want || got < want-time.Second {
				t.Errorf("lease of %s, want %s", got, want)
			}
		})
	})
}

func TestAWallClockThatIsSetBackLengthensNoLife(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			f := f.living(time.Hour)
			w, clock := f.onJumpyClock(t, "rotation_percent", 100)
			w.read("token/app")
			elapse(20 * time.Minute)
			clock.jump(-10 * time.Minute)
			for range 12 {
				elapse(5 * time.Minute)
				resp := w.read("token/app")
				if token := text(t, resp.Data, "access_token"); !w.sim.TokenAlive(token) {
					t.Fatal("a dead token is served")
				}
				elapse(min(resp.Secret.TTL, time.Minute))
				if token := text(t, resp.Data, "access_token"); !w.sim.TokenAlive(token) {
					t.Fatal("a token died before its lease ended")
				}
			}
		})
	}
	timed(t, "by more than the token has lived", func(t *testing.T) {
		w, clock := oauth().onJumpyClock(t, "rotation_percent", 100)
		w.read("token/app")
		elapse(50 * time.Minute)
		clock.jump(-5 * time.Hour)
		resp := w.read("token/app")
		if resp.Secret.TTL > 10*time.Minute {
			t.Errorf("lease of %s for a token of ten minutes", resp.Secret.TTL)
		}
		if got := seconds(t, resp.Data, "expires_in"); got > 10*time.Minute {
			t.Errorf("expires_in is %s for a token of ten minutes", got)
		}
		elapse(11 * time.Minute)
		if token := text(t, w.read("token/app").Data, "access_token"); !w.sim.TokenAlive(token) {
			t.Error("a dead token is served")
		}
	})
}

func TestAWallClockThatIsSetBackBeforeARestartLengthensNoLife(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{10 * time.Minute, 40 * time.Minute, 5 * time.Hour} {
		timed(t, back.String(), func(t *testing.T) {
			w, clock := oauth().onJumpyClock(t)
			w.read("token/app")
			elapse(30 * time.Minute)
			w.stop()
			clock.jump(-back)
			w.start()
			resp := w.read("token/app")
			if got := seconds(t, resp.Data, "expires_in"); got > time.Hour {
				t.Errorf("expires_in is %s for a token that lives an hour", got)
			}
			if back < 30*time.Minute {
				return // a clock that is still after the token's beginning gives nothing away
			}
			token := text(t, resp.Data, "access_token")
			elapse(resp.Secret.TTL)
			if !w.sim.TokenAlive(token) {
				t.Error("the token died before its lease ended")
			}
		})
	}
}

func TestAWallClockThatJumpsToAndFroNeitherServesTheDeadNorStorms(t *testing.T) {
	t.Parallel()
	timed(t, "for a day", func(t *testing.T) {
		w, clock := oauth().onJumpyClock(t)
		for n := range 24 * 12 {
			jump := 7 * time.Minute
			if n%2 == 1 {
				jump = -jump
			}
			clock.jump(jump)
			if token := text(t, w.read("token/app").Data, "access_token"); !w.sim.TokenAlive(token) {
				t.Fatalf("a dead token is served after %s", time.Duration(n)*5*time.Minute)
			}
			elapse(5 * time.Minute)
		}
		if got := w.logins(); got > 60 {
			t.Errorf("%d logins in a day of tokens that live an hour", got)
		}
	})
}
