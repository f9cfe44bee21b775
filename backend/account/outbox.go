// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// addToOutbox puts a token into the outbox, unless its end and its revocation are there already. It takes the place of an
// earlier entry.
func (t *transition) addToOutbox(token *Token, keep time.Duration) {
	bare := token.withoutSecrets()
	same := func(o OutboxEntry) bool { return o.Token.ID == bare.ID }
	if n := slices.IndexFunc(t.Outbox, same); n >= 0 {
		keep = max(keep, t.Outbox[n].Keep) // a change of ledger_retention is for new tokens
		if before := t.Outbox[n].Token; before.revocation == bare.revocation && !bare.ExpiresAt.After(before.ExpiresAt) {
			return
		}
	}
	next := append(without(t.Outbox, same), OutboxEntry{Token: bare, Keep: keep})
	t.Outbox = next[max(0, len(next)-t.limits().outbox):]
}

// sendToLedger sends what is in the outbox, where this node may.
func (t *transition) sendToLedger() {
	if len(t.Outbox) > 0 && t.env.Active {
		t.emit(SendToLedger{})
	}
}

// apply drops what the ledger knows from the outbox.
func (e Sent) apply(t *transition) {
	before := len(t.Outbox)
	t.Outbox = without(t.Outbox, func(o OutboxEntry) bool { return slices.Contains(e.Entries, o) })
	switch {
	case len(t.Outbox) == before:
	case t.Usable(t.env.Reading):
		t.changedLazily() // the next write is not far
	default:
		t.changed()
	}
}
