// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"slices"
	"time"

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
		TokenID: t.ID, IssuedAt: t.IssuedAt.Truncate(time.Second), ExpiresAt: t.ValidUntil().Truncate(time.Second),
		Reason: string(t.Reason), RevokedAt: at.Truncate(time.Second), Upstream: string(outcome),
	}
}

// unreadError says that the ledger has no such token, and that what it lacks is not known: of this config or, where it is "", of
// those that are being read after a start.
type unreadError struct{ config string }

func (e *unreadError) Error() string {
	if e.config != "" {
		return "the stored account of config " + e.config + " cannot be read: see status/" + e.config + ", and try again later"
	}
	return "the plugin has just started, and is reading its accounts: try again in a minute"
}

// findIssued returns the configs for which the token of that ID was issued: more than one where they share an upstream account.
// Entries that are not saved yet are included. Errors: *unreadError, and those of Ledger.Find.
func (b *backend) findIssued(ctx context.Context, tokenID string) ([]ledger.Found, error) {
	unread, restored := b.issuer.Unread()
	unsent := slices.DeleteFunc(b.issuer.Unsent(""), func(u issuer.Unsent) bool { return u.Token.ID != tokenID })
	found, err := b.ledger.Find(ctx, tokenID)
	if errors.Is(err, ledger.ErrUnknown) {
		switch {
		case len(unsent) > 0:
			err = nil
		case !restored:
			err = &unreadError{}
		case len(unread) > 0:
			err = &unreadError{unread[0]}
		}
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

// listLedgers returns the configs of which tokens were issued. Those of entries that are not saved yet are included.
func (b *backend) listLedgers(ctx context.Context) ([]string, error) {
	names, err := b.ledger.Configs(ctx)
	for _, u := range b.issuer.Unsent("") {
		names = append(names, u.Config)
	}
	slices.Sort(names)
	return slices.Compact(names), err
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
