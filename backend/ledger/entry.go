// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package ledger

import (
	"maps"
	"slices"
	"time"
)

// storedToken is an Entry at rest. Times are Unix seconds.
type storedToken struct {
	ID        string `json:"token_id"`
	IssuedAt  int64  `json:"issued_at"`
	ExpiresAt int64  `json:"expires_at"`
	Reason    string `json:"reason"`
	RevokedAt int64  `json:"revoked_at,omitempty"`
	Upstream  string `json:"upstream,omitempty"`
}

// storedPlaces says where the entries of a token are, one for each config that was given it.
type storedPlaces struct {
	Schema int           `json:"schema"`
	Places []storedPlace `json:"places"`
}

type storedPlace struct {
	Config string `json:"config"`
	Day    string `json:"day"`
	Page   int    `json:"page"`
}

// storedDays says how many pages a config has on each day.
type storedDays struct {
	Schema int            `json:"schema"`
	Pages  map[string]int `json:"pages"`
}

func (d *storedDays) sorted() []string { return slices.Sorted(maps.Keys(d.Pages)) }

func (p *storedPlaces) of(config string) (place storedPlace, known bool) {
	n := slices.IndexFunc(p.Places, func(at storedPlace) bool { return at.Config == config })
	if n < 0 {
		return storedPlace{}, false
	}
	return p.Places[n], true
}

func (p *storedPlaces) remove(place storedPlace) {
	p.Places = slices.DeleteFunc(p.Places, func(other storedPlace) bool { return other == place })
}

func store(e Entry) storedToken {
	t := storedToken{
		ID: e.TokenID, IssuedAt: e.IssuedAt.Unix(), ExpiresAt: e.ExpiresAt.Unix(), Reason: e.Reason, Upstream: e.Upstream,
	}
	if !e.RevokedAt.IsZero() {
		t.RevokedAt = e.RevokedAt.Unix()
	}
	return t
}

// update takes over the revocation of an entry and a later end, and reports whether any of it is news. The same word twice keeps
// its first moment.
func (t *storedToken) update(e Entry) (isNews bool) {
	if end := e.ExpiresAt.Unix(); end > t.ExpiresAt { // the upstream has given the token anew
		t.ExpiresAt, isNews = end, true
	}
	if e.RevokedAt.IsZero() || t.RevokedAt != 0 && t.Upstream == e.Upstream {
		return isNews
	}
	t.RevokedAt, t.Upstream = e.RevokedAt.Unix(), e.Upstream
	return true
}

func (t *storedToken) entry() Entry {
	e := Entry{
		TokenID: t.ID, IssuedAt: time.Unix(t.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(t.ExpiresAt, 0).UTC(), Reason: t.Reason,
		Upstream: t.Upstream,
	}
	if t.RevokedAt != 0 {
		e.RevokedAt = time.Unix(t.RevokedAt, 0).UTC()
	}
	return e
}
