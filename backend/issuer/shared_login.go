// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// await asks the state what the reader gets, and waits until something has changed where that is nothing yet. Where the time is
// over, the state has the last word: a token that was to be replaced may live on.
func (w *worker) await(ctx context.Context, r *account.Reader) (Result, error) {
	w.do(func(l *locked) { r.Loads, r.Logins = l.state.Loads, l.state.Logins })
	for active := false; ; {
		a, v, changed, needs := w.ask(r, active)
		if needs && !active {
			if err := w.issuer.startable(); err != nil { // asks another process: under no lock, and once
				return Result{}, err
			}
			active = true
			a, v, changed, _ = w.ask(r, active)
		}
		if !v.Wait {
			return a, v.Err
		}
		w.issuer.waiting.Add(1)
		err := w.wait(ctx, changed, v.Bound)
		w.issuer.waiting.Add(-1)
		if err != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Result{}, err
		}
	}
}

// ask asks the state once. needs says that something is to be begun first, which only an active node may.
func (w *worker) ask(r *account.Reader, active bool) (a Result, v account.Decision, changed <-chan struct{}, needs bool) {
	w.do(func(l *locked) {
		env := w.env(active)
		if needs = l.state.ReadNeeds(env, r); needs {
			if !active {
				return
			}
			l.applyForReader(env, r)
			env = w.env(active)
		}
		v, changed = l.state.Decide(env, r), l.changed
		if !v.Wait && v.Err == nil {
			a = l.result(env.Reading)
		}
	})
	return a, v, changed, needs
}

// applyForReader begins what the reader needs.
func (l *locked) applyForReader(env account.Env, r *account.Reader) {
	if l.state.WantsRotation(env) {
		if l.slot = l.issuer.queue.Try(l.worker, l.state.Account.Host()); l.slot != nil {
			l.apply(account.Due{}, true)
			return
		}
	}
	l.apply(account.Read{Rejected: r.Rejected}, true)
}
