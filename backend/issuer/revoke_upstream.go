// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// maxExchanges bounds the exchanges that one revocation makes at a time.
const maxExchanges = 4

// revokeUpstream does step 2 in the background: it exchanges the refresh token of each token and throws away what comes back.
// Tokens that the upstream is being asked about already are left out.
func (w *worker) revokeUpstream(settings *Account, tokens []*Token) {
	var asked []*Token
	w.do(func(l *locked) {
		for _, t := range tokens {
			if outcome, _ := t.Revocation(); outcome == account.Killed || !settings.CanRevoke(t) || l.revoking[t.ID] {
				continue
			}
			if err := l.notYet(settings); err != nil { // the sweep goes on
				l.note(t.ID, err)
				continue
			}
			l.revoking[t.ID] = true
			asked = append(asked, t)
		}
	})
	if len(asked) == 0 {
		return
	}
	held := w.issuer.acquire(w.name)
	if !w.issuer.goWork(func() {
		defer held.release()
		w.revokeAllUpstream(settings, asked)
	}) {
		held.release()
	}
}

// revokeAllUpstream exchanges the refresh token of each, a few at a time.
func (w *worker) revokeAllUpstream(settings *Account, tokens []*Token) {
	client, err := w.issuer.newClient(settings)
	if err != nil {
		w.issuer.logger.Error("the stored settings cannot be used", "config", settings.Name, "error", err)
		for _, t := range tokens {
			w.revokedUpstream(settings, t, err)
		}
		return
	}
	s, _ := w.look()
	redact := s.Secrets()
	for _, t := range tokens { // which a deleted config does not have any more
		redact = append(redact, t.Access)
	}
	var group errgroup.Group
	group.SetLimit(maxExchanges)
	for _, t := range tokens {
		group.Go(func() error {
			err := errPanic
			w.issuer.guard(func() { err = w.exchange(client, settings, t, redact) })
			w.revokedUpstream(settings, t, err)
			return nil
		})
	}
	_ = group.Wait() // no member returns an error
}

// exchange sends the refresh token of one token, unless the upstream has asked meanwhile to be left alone.
func (w *worker) exchange(client upstream.Client, settings *Account, t *Token, redact []string) error {
	var later error
	w.do(func(l *locked) { later = l.notYet(settings) })
	if later != nil {
		return later
	}
	next, err := client.Refresh(w.issuer.ctx, t.Refresh(), redact...)
	if err == nil && account.TokenID(next.AccessToken) == t.ID {
		return errSameToken
	}
	return err
}

// notYet is the error while a Retry-After of the refresh endpoint runs, else nil.
func (l *locked) notYet(settings *Account) error {
	now := l.issuer.clock()
	left := l.revokeAfter[settings.Upstream.RefreshURL] - now.Elapsed
	if left <= 0 {
		return nil
	}
	return fmt.Errorf("the upstream throttles refresh_url, and is asked from %s on", now.Wall.Add(left).Format(time.RFC3339))
}

func (w *worker) revokedUpstream(settings *Account, t *Token, err error) {
	isNews := false
	w.do(func(l *locked) {
		delete(l.revoking, t.ID)
		isNews = l.note(t.ID, err)
		if revokeOutcome(err) != account.Unknown {
			l.dropFormer(func(o *Token) bool { return o.ID == t.ID })
		}
		if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.RetryAfter > 0 {
			l.revokeAfter[settings.Upstream.RefreshURL] = w.issuer.clock().Elapsed + min(failed.RetryAfter, account.LongestThrottle)
		}
		l.apply(account.RevokeEnded{Token: t, Outcome: revokeOutcome(err), Keep: settings.LedgerRetention}, true)
	})
	if isNews && w.issuer.ctx.Err() == nil {
		w.logRevocation(t.ID, err)
	}
}

// retryFormer sends the revocations again to which the upstream has not responded, and which the settings of now cannot make. It
// goes on until the process ends.
func (w *worker) retryFormer() {
	env := w.env(true)
	pending := make(map[*Account][]*Token)
	past := account.Reading{Wall: env.Clock.SurelyPast(env.Reading)} // the clock may have been set since
	w.do(func(l *locked) {
		l.dropFormer(func(t *Token) bool { return !t.MayLive(past) })
		maps.Copy(pending, l.former)
	})
	for settings, tokens := range pending {
		w.revokeUpstream(settings, tokens)
	}
}

// keepFormer goes on with the revocations that were pending before, and cannot be made under the settings of now.
func (l *locked) keepFormer(before *account.State, env account.Env) {
	still := l.state.ToRevoke(env)
	pending := slices.DeleteFunc(before.ToRevoke(env), func(t *Token) bool {
		return slices.ContainsFunc(still, func(s *Token) bool { return s.ID == t.ID })
	})
	if len(pending) > 0 {
		l.former[before.Account] = pending
	}
}

// dropFormer forgets those that the upstream need not be asked about any more.
func (l *locked) dropFormer(gone func(*Token) bool) {
	for settings, tokens := range l.former {
		left := slices.DeleteFunc(slices.Clone(tokens), gone)
		if l.former[settings] = left; len(left) == 0 {
			delete(l.former, settings)
		}
	}
}

// errSameToken says that an exchange has brought the very token that it was to end.
var errSameToken = errors.New("the upstream gave the same token again")

// revokeOutcome says what the response to an exchange means for the old pair.
func revokeOutcome(err error) Outcome {
	failed, _ := errors.AsType[*upstream.Error](err)
	switch {
	case err == nil:
		return account.Killed
	case errors.Is(err, upstream.ErrRefreshUnsupported), errors.Is(err, errSameToken):
		return account.Unsupported
	case failed != nil && (failed.Kind == upstream.Rejected || failed.Kind == upstream.Invalid):
		return account.Refused
	default:
		return account.Unknown
	}
}
