// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
)

// tokenRef names a token in the table; noToken is none.
type tokenRef int32

const noToken tokenRef = -1

// tokens knows shared tokens by all names that the log has for them: the token_id, and the HMACs of the token and of its
// token_id. An entry that shows two names of a token joins what was known under each.
type tokens struct {
	byName map[string]tokenRef
	all    []*tokenInfo
	most   int
	// missed counts names that found no room.
	missed int64
}

type tokenInfo struct {
	joined    tokenRef // to the entry that holds what is known, or noToken
	name      TokenName
	config    string
	issuedAt  string
	expiresAt string
	revokedAt time.Time
}

func newTokens(most int) *tokens { return &tokens{byName: make(map[string]tokenRef), most: most} }

// find returns the entry that holds what is known of a token.
func (t *tokens) find(ref tokenRef) tokenRef {
	for ref != noToken && t.all[ref].joined != noToken {
		ref = t.all[ref].joined
	}
	return ref
}

func (t *tokens) info(ref tokenRef) *tokenInfo { return t.all[t.find(ref)] }

// ref is the token of the given token_id and access token, each shown, hidden or missing.
func (t *tokens) ref(tokenID, access string) tokenRef {
	found := noToken
	for _, name := range []string{idName(tokenID), accessName(access)} {
		if name == "" {
			continue
		}
		known, ok := t.byName[name]
		switch {
		case !ok && found == noToken:
			found = t.make(name)
		case !ok:
			t.link(name, found)
		case found == noToken:
			found = t.find(known)
		default:
			found = t.join(found, t.find(known))
		}
	}
	if found == noToken {
		return noToken
	}
	info := t.all[found]
	if tokenID != "" && !entry.Hidden(tokenID) {
		info.name.ID = clip(tokenID)
	}
	if info.name.HMAC == "" && entry.Hidden(access) {
		info.name.HMAC = clip(access)
	}
	return found
}

func (t *tokens) make(name string) tokenRef {
	if len(t.all) >= t.most {
		t.missed++
		return noToken
	}
	ref := tokenRef(len(t.all)) //nolint:gosec // most is far below 2^31
	t.all = append(t.all, &tokenInfo{joined: noToken})
	t.link(name, ref)
	return ref
}

// link gives a token one more name. A token has few: one an audit device.
func (t *tokens) link(name string, ref tokenRef) {
	if ref != noToken && len(t.byName) < 4*t.most {
		t.byName[name] = ref
	}
}

// join makes one of two.
func (t *tokens) join(a, b tokenRef) tokenRef {
	if a == b || b == noToken {
		return a
	}
	keep, gone := t.all[a], t.all[b]
	gone.joined = a
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&keep.name.ID, gone.name.ID)
	fill(&keep.name.HMAC, gone.name.HMAC)
	fill(&keep.config, gone.config)
	fill(&keep.issuedAt, gone.issuedAt)
	fill(&keep.expiresAt, gone.expiresAt)
	if keep.revokedAt.IsZero() || !gone.revokedAt.IsZero() && gone.revokedAt.Before(keep.revokedAt) {
		keep.revokedAt = gone.revokedAt
	}
	return a
}

// learn keeps what an answer shows of a token.
func (t *tokens) learn(ref tokenRef, answer entry.Token, text func(string) string) {
	if ref == noToken {
		return
	}
	info := t.info(ref)
	for _, f := range []struct {
		to   *string
		from string
	}{{&info.config, answer.Config}, {&info.issuedAt, answer.IssuedAt}, {&info.expiresAt, answer.ExpiresAt}} {
		if f.from != "" && !entry.Hidden(f.from) {
			*f.to = text(clip(f.from))
		}
	}
}

// idName and accessName are the names in the table. HMACs of different values never meet.
func idName(tokenID string) string {
	if tokenID == "" {
		return ""
	}
	return "i" + clip(tokenID)
}

func accessName(access string) string {
	if !entry.Hidden(access) {
		return ""
	}
	return "a" + clip(access)
}
