// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"fmt"
	"time"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
)

// book writes what the issuer tells into the ledger.
type book struct{ ledger *ledger.Ledger }

// Issued implements issuer.Book.
func (b book) Issued(ctx context.Context, a *issuer.Account, t *issuer.Token) error {
	return b.ledger.Note(ctx, a.Name, ledger.Entry{
		TokenID: t.ID, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Reason: string(t.Reason),
	}, a.LedgerRetention)
}

// Revoked implements issuer.Book.
func (b book) Revoked(ctx context.Context, account string, r issuer.Revocation, at time.Time) error {
	return b.ledger.Revoked(ctx, account, r.TokenID, at, string(r.Upstream))
}

// Trim implements issuer.Book.
func (b book) Trim(ctx context.Context, now time.Time) (int, error) {
	return b.ledger.Trim(ctx, now)
}

// The states of a token that was issued.
const (
	tokenCurrent    = "current"
	tokenSuperseded = "superseded"
	tokenRevoked    = "revoked"
	tokenExpired    = "expired"
)

// issued is a token of the ledger in the light of what is known now.
type issued struct {
	ledger.Entry

	config string
	state  string
	// usableUntil is when the upstream takes the token no more, as far as is known.
	usableUntil time.Time
	// gone says that the config was deleted.
	gone bool
}

// seen puts an entry of the ledger into the light of what the issuer knows of the config's tokens, which is nothing where the
// config is gone.
func seen(config string, e ledger.Entry, known issuer.Tokens, now time.Time) issued {
	t := issued{Entry: e, config: config, usableUntil: e.ExpiresAt, gone: known.Account == nil}
	if outcome, revoked := known.Revoked[e.TokenID]; revoked && t.RevokedAt.IsZero() {
		t.RevokedAt, t.Upstream = now.Truncate(time.Second), string(outcome) // the ledger is yet to hear of it
	}
	switch {
	case !t.RevokedAt.IsZero():
		t.state = tokenRevoked
		if t.Upstream == string(issuer.Killed) && t.RevokedAt.Before(t.usableUntil) {
			t.usableUntil = t.RevokedAt
		}
	case !e.ExpiresAt.After(now):
		t.state = tokenExpired
	case e.TokenID == known.Current:
		t.state = tokenCurrent
	default:
		t.state = tokenSuperseded
	}
	return t
}

// data is what an answer says of the token.
func (t *issued) data() map[string]any {
	return map[string]any{
		"token_id":     t.TokenID,
		"state":        t.state,
		"issued_at":    timeText(t.IssuedAt),
		"expires_at":   timeText(t.ExpiresAt),
		"usable_until": timeText(t.usableUntil),
		"reason":       t.Reason,
	}
}

// advice is what to do about a token that was found where it should not be.
func (t *issued) advice(mount string, now time.Time) string {
	if !t.usableUntil.After(now) {
		return "it is dead: find out how it got where it was found, and who received it (see audit in the documentation)"
	}
	until := timeText(t.usableUntil)
	revoke := "vault write " + mount + "revoke/" + t.config + " token_id=" + t.TokenID
	switch {
	case t.gone:
		return fmt.Sprintf("config %s was deleted, so it cannot be revoked here: it is good upstream until %s; "+
			"ask the vendor to end it", t.config, until)
	case t.state == tokenRevoked:
		return fmt.Sprintf("no reader is given it any more, but the upstream could not be made to end it: it is good there until %s; "+
			"ask the vendor to end it, and change the password", until)
	case t.state == tokenCurrent:
		return fmt.Sprintf("readers are being given it, and it is good upstream until %s: to take it out of use, %s", until, revoke)
	default:
		return fmt.Sprintf("no reader is given it any more, and it is good upstream until %s: to end it sooner, %s", until, revoke)
	}
}
