// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"fmt"
	"runtime/debug"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// guard ends a panic in f, which would end the process, and with it every mount that lives there, and reports whether there was
// none. Its value may hold anything, so only its type is logged.
func (i *Issuer) guard(f func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			i.logger.Error("work in the background ended in a panic: please report this", "panic", fmt.Sprintf("%T", p),
				"stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

// ended applies the result of a job.
func (w *worker) ended(job account.Effect, result account.Event, active bool) (jobs, reports []account.Effect) {
	if !w.issuer.guard(func() { jobs, reports = w.underLock(func(l *locked) { l.apply(result, active) }) }) {
		return w.underLock(func(l *locked) { l.apply(account.Broken{Job: job, Err: errPanic}, false) })
	}
	return jobs, reports
}

// broken is the result of a job that ended in a panic: something may wait for it.
func broken(job account.Effect) account.Event {
	switch e := job.(type) {
	case account.LoadAccount:
		return account.Loaded{ID: e.ID, Err: errPanic}
	case account.SaveRecord:
		return account.Saved{Version: e.Version, Err: errPanic}
	case account.Login:
		return account.LoginEnded{Work: e.Work.ID, Err: errPanic}
	default:
		return nil
	}
}
