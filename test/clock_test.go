// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"
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
					w := newTestMount(t, f.account)
					w.Simulator.SetClockOffset(off)
					w.mount(f, "rotation_percent", 100)
					advance(300 * time.Millisecond)
					resp := w.read("token/app")
					left := time.Until(moment(t, resp.Data, "expires_at"))
					if left > life+2*time.Second || left < life-2*time.Second {
						t.Errorf("the token ends in %s, want %s", left, life)
					}
					// Served as long as it lives, and alive as long as it is served.
					advance(resp.Secret.TTL - 2*time.Second)
					token := text(t, resp.Data, "access_token")
					w.quiet(func() {
						if text(t, w.read("token/app").Data, "access_token") != token {
							t.Error("a live token was refused")
						}
					})
					advance(2 * time.Second)
					if !w.Simulator.TokenAlive(token) {
						t.Error("the token died before its lease ended")
					}
					advance(20 * time.Second)
					if next := text(t, w.read("token/app").Data, "access_token"); next == token || !w.Simulator.TokenAlive(next) {
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
			w := newTestMount(t, jwtV1().living(time.Hour).account)
			w.Simulator.SetClockOffset(off)
			w.mount(jwtV1())
			w.read("token/app")
			w.Simulator.SetClockOffset(0)
			for range 20 {
				advance(10 * time.Minute)
				resp := w.read("token/app")
				if left := seconds(t, resp.Data, "expires_in"); left > time.Hour {
					t.Errorf("the token ends in %s, though it lives for an hour", left)
				}
			}
			if token := text(t, w.read("token/app").Data, "access_token"); !w.Simulator.TokenAlive(token) {
				t.Error("a dead token is served")
			}
		})
	}
}

func TestATokenThatExpiredWhileTheMachineSleptIsNotServed(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		timed(t, f.name, func(t *testing.T) {
			f := f.living(time.Hour)
			w := f.mounted(t)
			old := text(t, w.read("token/app").Data, "access_token")
			advance(time.Minute)
			w.Clock.Jump(2 * time.Hour) // asleep: only the wall clock and the world went on
			w.Simulator.SetClockOffset(2 * time.Hour)
			if w.Simulator.TokenAlive(old) {
				t.Fatal("the token should be dead")
			}
			resp := w.read("token/app")
			if token := text(t, resp.Data, "access_token"); !w.Simulator.TokenAlive(token) {
				t.Error("a dead token is served")
			}
			checkLease(t, resp, w.Clock.Now())
		})
	}
}

func TestATokenThatSleptThroughPartOfItsLifeIsLeasedForTheRest(t *testing.T) {
	t.Parallel()
	timed(t, "twenty minutes of an hour", func(t *testing.T) {
		w := oauth().mounted(t)
		old := w.read("token/app").Data["token_id"]
		w.Clock.Jump(20 * time.Minute)
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
			w := f.mounted(t, "rotation_percent", 100)
			w.read("token/app")
			advance(20 * time.Minute)
			w.Clock.Jump(-10 * time.Minute)
			for range 12 {
				advance(5 * time.Minute)
				resp := w.read("token/app")
				if token := text(t, resp.Data, "access_token"); !w.Simulator.TokenAlive(token) {
					t.Fatal("a dead token is served")
				}
				advance(min(resp.Secret.TTL, time.Minute))
				if token := text(t, resp.Data, "access_token"); !w.Simulator.TokenAlive(token) {
					t.Fatal("a token died before its lease ended")
				}
			}
		})
	}
	timed(t, "by more than the token has lived", func(t *testing.T) {
		w := oauth().mounted(t, "rotation_percent", 100)
		w.read("token/app")
		advance(50 * time.Minute)
		w.Clock.Jump(-5 * time.Hour)
		resp := w.read("token/app")
		if resp.Secret.TTL > 10*time.Minute {
			t.Errorf("lease of %s for a token of ten minutes", resp.Secret.TTL)
		}
		if got := seconds(t, resp.Data, "expires_in"); got > 10*time.Minute {
			t.Errorf("expires_in is %s for a token of ten minutes", got)
		}
		advance(11 * time.Minute)
		if token := text(t, w.read("token/app").Data, "access_token"); !w.Simulator.TokenAlive(token) {
			t.Error("a dead token is served")
		}
	})
}

func TestAWallClockThatIsSetBackBeforeARestartLengthensNoLife(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{10 * time.Minute, 40 * time.Minute, 5 * time.Hour} {
		timed(t, back.String(), func(t *testing.T) {
			w := oauth().mounted(t)
			w.read("token/app")
			advance(30 * time.Minute)
			w.Stop()
			w.Clock.Jump(-back)
			w.Start()
			resp := w.read("token/app")
			if got := seconds(t, resp.Data, "expires_in"); got > time.Hour {
				t.Errorf("expires_in is %s for a token that lives an hour", got)
			}
			if back < 30*time.Minute {
				return // a clock that is still after the token's beginning gives nothing away
			}
			token := text(t, resp.Data, "access_token")
			advance(resp.Secret.TTL)
			if !w.Simulator.TokenAlive(token) {
				t.Error("the token died before its lease ended")
			}
		})
	}
}

func TestAWallClockThatJumpsToAndFroNeitherServesTheDeadNorStorms(t *testing.T) {
	t.Parallel()
	timed(t, "for a day", func(t *testing.T) {
		w := oauth().mounted(t)
		for n := range 24 * 12 {
			jump := 7 * time.Minute
			if n%2 == 1 {
				jump = -jump
			}
			w.Clock.Jump(jump)
			if token := text(t, w.read("token/app").Data, "access_token"); !w.Simulator.TokenAlive(token) {
				t.Fatalf("a dead token is served after %s", time.Duration(n)*5*time.Minute)
			}
			advance(5 * time.Minute)
		}
		if got := w.logins(); got > 60 {
			t.Errorf("%d logins in a day of tokens that live an hour", got)
		}
	})
}
