// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/loginqueue"
)

// lookAgain bounds the scheduler's sleep: timers do not notice that the machine was suspended or its clock set.
const lookAgain = time.Minute

// rotateWhenDue rotates the tokens of accounts in use ahead of their expiry, until ctx ends.
func (i *Issuer) rotateWhenDue(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.queue.Wake():
		case <-timer.C:
		}
		timer.Reset(i.rotateDue())
	}
}

// rotateDue begins the rotations that are due, as many as may be in flight, and returns how long to sleep.
func (i *Issuer) rotateDue() time.Duration {
	for asked := false; i.ctx.Err() == nil; asked = true {
		now := i.clock()
		if !asked && i.queue.AnyDue(now.Wall) && i.mayLogin() != nil {
			return lookAgain
		}
		w, slot, ok := i.queue.Next(now.Wall)
		if !ok {
			return i.queue.Sleep(now.Wall, lookAgain)
		}
		if !i.guard(func() { w.useSlot(slot) }) { // one account that breaks does not end the rotation of the others
			w.leaveQueue(slot)
		}
	}
	return lookAgain
}

// leaveQueue has the account wait until it is read, or for the next sweep, without that slot.
func (w *worker) leaveQueue(t *loginqueue.Slot) {
	w.do(func(l *locked) {
		w.issuer.queue.Remove(w)
		if l.slot == t && l.state.Work == nil {
			w.issuer.queue.GiveBack(t)
			l.slot = nil
		}
	})
}

// useSlot rotates the account, if it still wants that.
func (w *worker) useSlot(t *loginqueue.Slot) {
	w.do(func(l *locked) {
		if l.evicted || l.state.Work != nil {
			w.issuer.queue.GiveBack(t)
			return
		}
		l.slot = t
		wants := l.state.IsKnown() && l.state.InUse(w.env(true))
		l.apply(account.Due{}, true)
		if !wants || l.state.Work == nil && w.issuer.queue.IsDue(w, w.issuer.clock().Wall) {
			w.issuer.queue.Remove(w) // until it is read, or the next sweep
		}
	})
}
