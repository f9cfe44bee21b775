// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

// Start takes up the accounts whose tokens were left in storage, and begins to rotate tokens ahead of their expiry and to trim
// the ledger. It returns at once; Read works before and without it.
func (i *Issuer) Start() {
	i.now() // from now on a clock that is set is noticed
	i.goWork(func() { i.restore(i.ctx) })
	i.goWork(func() { i.rotateWhenDue(i.ctx) })
	i.goWork(func() { i.trimLedger(i.ctx) })
}

// Stop ends all work at once and does not wait for it: Vault holds up every mount of the process until it returns.
func (i *Issuer) Stop() {
	i.running.Lock()
	i.stop()
	i.running.Unlock()
}

// Wait returns when all work that was under way at Stop has ended.
func (i *Issuer) Wait() { i.work.Wait() }

// goWork runs f in a goroutine that the Issuer owns, and reports whether it could: a stopped Issuer starts nothing.
func (i *Issuer) goWork(f func()) bool {
	i.running.RLock()
	defer i.running.RUnlock()
	if i.ctx.Err() != nil {
		return false
	}
	i.work.Go(func() { i.guard(f) })
	return true
}
