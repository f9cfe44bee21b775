// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// report logs and counts what has happened.
func (w *worker) report(effect account.Effect) {
	switch e := effect.(type) {
	case account.Report:
		w.reportLogin(e)
	case account.ReportUnfinished:
		w.issuer.logger.Warn("a login was cut off when the plugin stopped: it counts as failed", "config", w.name,
			"began_at", e.BeganAt.Format(time.RFC3339))
	}
}

func (w *worker) reportLogin(e account.Report) {
	logger := w.issuer.logger
	switch {
	case e.Token == nil && e.Failure == nil:
		logger.Info("a login was given up after a change of its config, a revocation, or with its caller: its token is not used",
			"config", w.name, "reason", e.Reason)
		return
	case e.Failure != nil && (e.Failure.Kind == account.Blocked || !isUpstream(e.Err)):
		logger.Warn("no login could begin: it will be tried again", "config", w.name, "reason", e.Reason, "error", e.Err)
		w.countLogin(string(account.Blocked), e)
		return
	case e.Failure != nil:
		w.reportFailure(e)
		return
	case e.Reason == account.ReasonVerification:
		logger.Info("verified the login", "config", w.name, "token_id", e.Token.ID,
			"expires_at", e.Token.ExpiresAt.Format(time.RFC3339), "duration", rounded(e.Took))
	default:
		logger.Info("logged in upstream", "config", w.name, "reason", e.Reason, "token_id", e.Token.ID,
			"expires_at", e.Token.ExpiresAt.Format(time.RFC3339), "duration", rounded(e.Took))
	}
	w.noteSkew(e.Token.Skew())
	w.countLogin(counters.OK, e)
	if e.Err != nil {
		logger.Warn("the shared token could not be stored: a restart will log in again", "config", w.name, "error", e.Err)
	}
}

// noteSkew is for status/.
func (w *worker) noteSkew(skew time.Duration, known bool) {
	w.Skew.Store(int64(skew))
	w.SkewKnown.Store(known)
}

// isUpstream reports whether the upstream was asked.
func isUpstream(err error) bool {
	_, ok := errors.AsType[*upstream.Error](err)
	return ok || errors.Is(err, errPanic)
}

// reportFailure says that a login failed. Refused credentials need an operator to act, unless the caller who sent them gets the
// error.
func (w *worker) reportFailure(e account.Report) {
	f, level := e.Failure, hclog.Warn
	if f.Refused() && e.Reason != account.ReasonVerification {
		level = hclog.Error
	}
	w.issuer.logger.Log(level, "login failed", "config", w.name, "reason", e.Reason, "kind", f.Kind, "cause", f.Cause,
		"error", f.Message, "consecutive_failures", f.Consecutive, "next_attempt_at", f.NextAttempt.Format(time.RFC3339),
		"duration", rounded(e.Took))
	result := string(f.Kind)
	if failed, ok := errors.AsType[*upstream.Error](e.Err); ok {
		result = string(failed.Kind)
		if failed.SkewKnown {
			w.noteSkew(failed.ClockSkew, true)
		}
	}
	w.countLogin(result, e)
}

// countLogin counts a login, and how long the upstream has taken to respond where it did. One of a config that is not stored is
// not counted.
func (w *worker) countLogin(result string, e account.Report) {
	rotation := ""
	if result == counters.OK && e.Reason.Rotates() && !e.Token.Repeated() {
		rotation = string(e.Reason)
	}
	counts := false
	w.do(func(l *locked) {
		if counts = l.state.HasSettings(); counts {
			w.counted().Login(result, rotation)
			w.Login(w.issuer.clock().Wall, result == counters.OK)
		}
	})
	if counts && result != string(account.Blocked) && w.issuer.onLogin != nil {
		w.issuer.onLogin(e.Took)
	}
}

// rounded is a duration as log lines have it.
func rounded(d time.Duration) string { return d.Round(time.Millisecond).String() }
