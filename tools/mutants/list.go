// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

// mutants are the changes, each of which breaks a rule.
func mutants() []mutant {
	return []mutant{
		{"a revocation is not remembered", "revoke.go", "\ts.Revoked = next\n", "\t_ = next\n"},
		{"the bound of revocations takes the last one", "revoke.go", "slices.MinFunc(next, func(a, b revokedToken)", "slices.MaxFunc(next, func(a, b revokedToken)"},
		{"revoke/ leaves a verification in flight", "revoke.go", "\t\tt.cancelWork()\n", "\t\tif !t.Work.verifies() {\n\t\t\tt.cancelWork()\n\t\t}\n"},
		{"a login is forgotten when its caller is gone", "verify.go", "w.Step == loggingIn:\n\t\tt.changeWork(func(w *Work) { w.Abandoned = true })", "w.Step == loggingIn:\n\t\tt.Work = nil\n\t\tt.changed()"},
		{"a pause leaves a verification in flight", "settings.go", "\t\tt.cancelWork()\n\tdefault:", "\t\tt.Work = nil\n\t\tt.changed()\n\tdefault:"},
		{"a login that was given up kills no session", "login.go", "\t\tt.Suspect = t.Suspect || t.endsSession(nil, w.Account)\n", ""},
		{"a login may bring a revoked token back", "repeated_token.go", "r.ID == token.ID }); n >= 0 {", "r.ID == token.ID }); n >= 0 && false {"},
		{
			"a new token ends all revocations", "login.go",
			"func(r revokedToken) bool { return r.isOver(env) }", "func(revokedToken) bool { return true }",
		},
		{"a restart forgets revocations", "restore.go", "range r.Revoked {", "range r.Revoked[:0] {"},
		{"a deletion forgets when tokens end", "settings.go", "next.Deleted = t.withDeleted(append(slices.Clip(t.Superseded), t.Current)...)", "next.Deleted = nil"},
		{"a restart forgets when tokens of a deleted config end", "restore.go", "range r.Deleted {", "range r.Deleted[:0] {"},
		{"a repeated token is assumed to live anew", "repeated_token.go", "\t\tkept.lifeAssumed = false\n", ""},
		{"a repeated token is judged by former limits", "repeated_token.go", "given.limited(a).Remaining(now) <= minLife", "given.Remaining(now) <= minLife"},
		{"new limits leave the token in use", "settings.go", "clamped := t.Current.limited(a); clamped != t.Current", "clamped := t.Current.limited(a); false"},
		{"new settings leave the login in flight", "settings.go", "\tif !t.Work.verifies() {\n\t\tt.cancelWork()", "\tif false {\n\t\tt.cancelWork()"},
		{"new settings leave the token in use", "settings.go", "\tt.supersedeCurrent()\n\tif target", "\tif target"},
		{"an invalidation is not heeded", "settings.go", "t.Known = stale", "t.Known = known"},
		{"a load that is stale counts", "settings.go", "if e.ID != t.Loading {", "if false {"},
		{"a paused account is served", "state.go", "s.Known == known && !s.Account.Paused && s.Usable(now)", "s.Known == known && s.Usable(now)"},
		{"a login begins beside another", "login.go", "if t.Work == nil && t.MayLogin(", "if t.MayLogin("},
		{"the result of a login that was given up counts", "login.go", "w == nil || w.ID != e.Work || w.Step", "w == nil || w.Step"},
		{"a login is sent that could not be noted", "save.go", "w.Step == noting && e.Err != nil:", "w.Step == noting && e.Err != nil && false:"},
		{"the record says nothing of a login in flight", "record.go", "\tif s.Work != nil {\n\t\tsent", "\tif false {\n\t\tsent"},
		{"a login that was cut off does not count", "settings.go", "if e.Record.Attempt != nil {", "if false {"},
		{"holds are not heeded", "may_login.go", "if err := s.holdError(env.Reading); err != nil {", "if err := s.holdError(env.Reading); false {"},
		{"a verification does not ask for the account's hold", "may_login.go", "a, true); f.Holds(env.Reading) {", "a, true); f.Holds(env.Reading) && false {"},
		{"new settings close the circuit breaker", "settings.go", "t.setFailures(t.Failures)\n", "t.setFailures(nil)\n"},
		{"status/ is idle while a repeated token ends", "health.go", "f := s.LastFailure(now); {", "f := s.Failure; {"},
		{"a login that cannot begin in a hold is not counted", "failed_login.go", "Consecutive: 1 + s.Failure.consecutive(),", "Consecutive: max(1, s.Failure.consecutive()),"},
		{"Retry-After is not heeded", "failure.go", "min(failed.RetryAfter, LongestThrottle)", "min(failed.RetryAfter, 0)"},
		{"a restart forgets failures", "record.go", "range s.Failures {", "range s.Failures[:0] {"},
		{"the bound of failed logins takes the last one", "failed_login.go", "slices.MinFunc(all[:len(all)-1],", "slices.MinFunc(all,"},
		{"the bound of the outbox takes the last entry", "outbox.go", "next[max(0, len(next)-t.limits().outbox):]",
			"next[:min(len(next), t.limits().outbox)]"},
		{"a short hold ends a long one", "failed_login.go", "f.NextAttempt.After(longest.NextAttempt) {", "true {"},
		{"a login by hand moves the circuit breaker", "circuit_breaker.go", "\tif !f.Holds(env.Reading) {\n\t\tnext.Step++", "\tif true {\n\t\tnext.Step++"},
		{"a probe that was given up does not count", "login.go", "\t\tt.setFailures(t.failuresProbed(t.env, w))\n", ""},
		{"an outage closes the circuit breaker", "failed_login.go", "if !old.is(f) {\n", "if !old.is(f) && !old.Refused() {\n"},
		{"a refusal counts no minute for logins by hand", "may_login.go", "s.Failure.age(env.Reading) < forcedRefusedEvery {", "false {"},
		{"a rejected token is replaced each time", "rejected_token.go", ", s.RejectedAt.Add(rejectedEvery))", ", s.RejectedAt)"},
		{
			"a repeated token outlives a suspension beside a limit", "repeated_token.go",
			"kept.elapsed, kept.missed = kept.elapsed+missed, kept.missed+missed", "kept.toldLife = now.Wall.Add(left + missed).Sub(kept.IssuedAt)",
		},
		{
			"a repeated token ends by a clock that was ahead at start", "repeated_token.go",
			"max(told.elapsedLeft(now), told.ExpiresAt.Sub(now.Wall)), true", "told.elapsedLeft(now), true",
		},
		{
			"the end of a revoked token is by a clock that was ahead at start", "restore.go",
			"otherClock: otherClock || revoked.OtherClock,",
			"otherClock: otherClock && false,",
		},
		{
			"a token that is revoked ends by a clock that was ahead at start", "revoke.go",
			"\tr.otherClock = r.ahead(now) > Margin", "",
		},
		{"a repeated token gets a new life", "repeated_token.go", "\tif given == nil {", "\tif true {"},
		{
			"only the wall clock decides a token's life", "token.go",
			"return min(t.ExpiresAt.Sub(now.Wall), t.elapsedLeft(now)-t.missed)", "return t.ExpiresAt.Sub(now.Wall)",
		},
		{"only the elapsed clock decides a token's life", "token.go", "return min(t.ExpiresAt.Sub(now.Wall), t.elapsedLeft(now)-t.missed)", "return t.elapsedLeft(now)"},
		{"a token is served to its very end", "token.go", "t.Remaining(now) >= minLife }", "t.Remaining(now) > 0 }"},
		{"a token that a lost login may have killed stays in use", "single_session.go", "s.endsSession(nil, a) && mayHaveLoggedIn(err)", "false"},
		{
			"a token is served before storage has it", "login.go", "lastOf(failures, w.Account)\n\t})\n",
			"lastOf(failures, w.Account)\n\t})\n\tif failures == nil {\n\t\tt.finish(nil)\n\t}\n",
		},
		{"two writes are in flight", "save.go", "if t.Saving != 0 || !t.env.Active", "if !t.env.Active"},
		{"a standby writes", "save.go", "if t.Saving != 0 || !t.env.Active ||", "if t.Saving != 0 ||"},
		{"a write that failed is not made again", "save.go", "\tif t.Version > t.Saved {\n\t\tt.changed()", "\tif false {\n\t\tt.changed()"},
		{"the outbox loses unsaved entries", "outbox.go", "return slices.Contains(e.Entries, o) }", "return true }"},
		{"the record has no outbox", "record.go", "range s.Outbox {", "range s.Outbox[:0] {"},
		{"a reader does not cause the rotation that is due", "rotation_time.go", "return s.CanServe(env.Reading) && s.Work == nil &&", "return false &&"},
		{"a reader whose settings became stale waits for nothing", "read.go", "return s.Loading == 0 && !isAnswered", "return s.Loading == 0 && !isAnswered && s.Loads == r.Loads"},
	}
}
