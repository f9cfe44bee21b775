// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
)

// ledgerAdapter writes the tokens that the issuer reports into the ledger.
type ledgerAdapter struct {
	ledger *ledger.Ledger
	clock  issuer.Clock
}

// Note implements issuer.Ledger.
func (b ledgerAdapter) Note(ctx context.Context, config string, t *issuer.Token, keep time.Duration) error {
	return b.ledger.Note(ctx, config, ledgerEntry(t), keep, b.clock().Wall)
}

// Trim implements issuer.Ledger.
func (b ledgerAdapter) Trim(ctx context.Context, now time.Time) (int, error) {
	return b.ledger.Trim(ctx, now)
}

func ledgerEntry(t *issuer.Token) ledger.Entry {
	outcome, at := t.Revocation()
	return ledger.Entry{
		TokenID: t.ID, IssuedAt: t.IssuedAt.Truncate(time.Second), ExpiresAt: t.ExpiresAt.Truncate(time.Second),
		Reason: string(t.Reason), RevokedAt: at.Truncate(time.Second), Upstream: string(outcome),
	}
}

// findIssued returns the configs for which the token of that ID was issued: more than one where they share an upstream account.
// Entries that are not saved yet are included. Errors: those of Ledger.Find.
func (b *backend) findIssued(ctx context.Context, tokenID string) ([]ledger.Found, error) {
	unsent := slices.DeleteFunc(b.issuer.Unsent(""), func(u issuer.Unsent) bool { return u.Token.ID != tokenID })
	found, err := b.ledger.Find(ctx, tokenID)
	if errors.Is(err, ledger.ErrUnknown) && len(unsent) > 0 {
		err = nil
	}
	for _, u := range unsent {
		latest := ledger.Found{Config: u.Config, Entry: ledgerEntry(u.Token)}
		if n := slices.IndexFunc(found, func(f ledger.Found) bool { return f.Config == u.Config }); n < 0 {
			found = append(found, latest)
		} else if latest.Upstream != "" {
			found[n] = latest
		}
	}
	return found, err
}

// listIssued returns the tokens of a config, the newest first. Entries that are not saved yet are included.
func (b *backend) listIssued(ctx context.Context, config string) (entries []ledger.Entry, more bool, err error) {
	unsent := b.issuer.Unsent(config)
	known, more, err := b.ledger.Of(ctx, config, mostLedgerTokens)
	for _, u := range unsent { // these are the latest, and of one second they come first
		latest := ledgerEntry(u.Token)
		if n := slices.IndexFunc(known, func(e ledger.Entry) bool { return e.TokenID == latest.TokenID }); n < 0 {
			entries = append(entries, latest)
		} else if latest.Upstream != "" {
			known[n] = latest
		}
	}
	entries = append(entries, known...)
	slices.SortStableFunc(entries, func(x, y ledger.Entry) int { return y.IssuedAt.Compare(x.IssuedAt) })
	return entries, more, err
}

// tokensOf is what the issuer knows of the config's tokens: nothing if the config was deleted, or if their record cannot be
// read, for which unread is the reason. The ledger has the rest.
func (b *backend) tokensOf(ctx context.Context, config string) (known issuer.Tokens, unread, err error) {
	known, err = b.issuer.Tokens(ctx, config)
	switch {
	case err == nil || errors.Is(err, issuer.ErrNoAccount):
		return known, nil, nil
	case errors.Is(err, issuer.ErrStopped) || ctx.Err() != nil:
		return known, nil, err
	default:
		return known, err, nil
	}
}

// The states of a token that was issued.
const (
	tokenCurrent    = "current"
	tokenSuperseded = "superseded"
	tokenRevoked    = "revoked"
	tokenExpired    = "expired"
)

// issued is a token of the ledger with its present state.
type issued struct {
	ledger.Entry

	config string
	state  string
	// usableUntil is until when the upstream accepts the token, as far as is known.
	usableUntil time.Time
	// account is nil if the config was deleted.
	account *issuer.Account
	// unread is the reason why only the ledger's data is known; nil if more is.
	unread error
	// out is set if revoke/ knows the token, and killable if it can revoke it upstream.
	out, killable bool
}

// seen combines an entry of the ledger with what the issuer knows of the config's tokens, which is nothing if the config was
// deleted.
func seen(config string, e ledger.Entry, known issuer.Tokens, now time.Time) issued {
	token, out := known.Out[e.TokenID]
	if out {
		// The ledger may not have the revocation yet, and its times may be outdated: the upstream may have returned the same token
		// again since, or the clock was corrected.
		fresh := ledgerEntry(token.Token)
		e.IssuedAt, e.ExpiresAt = fresh.IssuedAt, fresh.ExpiresAt
		// The current token is not revoked, even if it was before the config was deleted and written again.
		if fresh.Upstream != "" || e.TokenID == known.Current {
			e.RevokedAt, e.Upstream = fresh.RevokedAt, fresh.Upstream
		}
	}
	t := issued{Entry: e, config: config, usableUntil: e.ExpiresAt, account: known.Account, out: out, killable: token.Killable}
	if e.Upstream == string(account.Killed) && e.RevokedAt.Before(e.ExpiresAt) {
		t.usableUntil = e.RevokedAt
	}
	switch {
	case e.Upstream != "":
		t.state = tokenRevoked
	case e.TokenID == known.Current:
		t.state = tokenCurrent
	case e.ExpiresAt.Sub(now) < account.Margin+time.Second: // expires too soon to be handed out
		t.state = tokenExpired
	default:
		t.state = tokenSuperseded
	}
	return t
}

// data is the token in a response.
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

// advice is what to do about a leaked token.
func (t *issued) advice(mount string, now time.Time) string {
	if !t.usableUntil.After(now) {
		return "it is no longer valid: find out how it leaked; for the tokens issued since: vault read " + mount + "ledger/" + t.config
	}
	until := timeText(t.usableUntil)
	revoke := "vault write " + mount + "revoke/" + t.config + " token_id=" + t.TokenID
	switch {
	case t.unread != nil:
		return fmt.Sprintf("it is valid upstream until %s, unless it was revoked, and whether it is handed out is not known: %v; "+
			"to check again, vault read %sstatus/%s", until, t.unread, mount, t.config)
	case t.account == nil:
		return fmt.Sprintf("config %s was deleted, so it cannot be revoked here: it is valid upstream until %s, "+
			"unless the vendor revokes it; for the other tokens of the config: vault read %sledger/%s", t.config, until, mount, t.config)
	case t.state == tokenCurrent:
		return fmt.Sprintf("%s, and it is valid upstream until %s: %s, %s", t.served(), until, t.revoking(), revoke)
	case t.out && t.killable && t.state == tokenRevoked:
		return fmt.Sprintf("it is no longer handed out, but may be valid upstream until %s: "+
			"to try again to revoke it upstream, %s", until, revoke)
	case t.out && t.killable:
		return fmt.Sprintf("it is no longer handed out, but is valid upstream until %s: to revoke it upstream, %s", until, revoke)
	default:
		return fmt.Sprintf("it is no longer handed out, but is valid upstream until %s, unless the vendor revokes it: "+
			"the engine cannot; for the current token: vault read %sstatus/%s", until, mount, t.config)
	}
}

// served says whether the current token is handed out.
func (t *issued) served() string {
	if t.account.Paused {
		return "it is not handed out while the config is paused"
	}
	return "it is being handed out"
}

// revoking says what the revoke command that follows it does.
func (t *issued) revoking() string {
	if t.killable {
		return "to revoke it upstream"
	}
	return "to stop handing it out, although only the vendor can revoke it upstream"
}
