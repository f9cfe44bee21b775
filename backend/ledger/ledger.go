// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package ledger remembers every shared token that was issued, without the token: for whom it was, when it lives, why it was
// asked for, and whether it was revoked. It identifies a token long after the token and its config are deleted.
//
// Entries are kept in pages, so that neither looking one up nor forgetting old ones walks over all of them:
//
//	ledger/day/<day>/<config>/<page>   the entries of a config that are forgotten after that day
//	ledger/id/<token_id>               in which pages the token is: in several where configs share an upstream account
//	ledger/config/<config>             how many pages the config has on which day
//
// A lookup reads two entries of storage, and what is forgotten in one go is all that stands under past days.
package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

// Prefix is where the ledger keeps its entries. It is fixed, as is all that stands under it.
const Prefix = "ledger/"

const (
	dayPrefix    = Prefix + "day/"
	idPrefix     = Prefix + "id/"
	configPrefix = Prefix + "config/"

	// schema is the version of all entries that this code writes. Every version ever released stays readable.
	schema = 1
	// pageSize bounds what is read and written to note one token, and keeps a page far below what any storage takes.
	pageSize = 128
	// dayLayout makes days sort by their names.
	dayLayout = "2006-01-02"
)

// ErrUnknown says that the ledger has no token of that ID: it was never issued here, or has been forgotten.
var ErrUnknown = errors.New("no token of that ID in the ledger")

// Entry is what is remembered of one token. Times are whole seconds, UTC.
type Entry struct {
	TokenID   string
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Reason is why the token was asked for.
	Reason string
	// RevokedAt is zero for a token that was not revoked; Upstream is the outcome of revoking it upstream.
	RevokedAt time.Time
	Upstream  string
}

// Until is the day, in UTC and such as 2006-01-02, until which the token is remembered if it is kept so long after it expires.
func (e Entry) Until(keep time.Duration) string { return e.ExpiresAt.Add(keep).UTC().Format(dayLayout) }

// Ledger keeps the entries of one mount. It is safe for concurrent use by one process.
type Ledger struct {
	view logical.Storage
	// configs order the writes about one config, and ids those about one token; configs come first.
	configs, ids []*locksutil.LockEntry

	trimming sync.Mutex
	// trimmed is the day on which all that was due was forgotten.
	trimmed string
}

// New makes a ledger in the given storage. It touches nothing yet.
func New(view logical.Storage) *Ledger {
	return &Ledger{view: view, configs: locksutil.CreateLocks(), ids: locksutil.CreateLocks()}
}

// Note remembers a token for keep after it has expired, and at most a day longer. Of a token that is known already only its
// revocation and a later end are news; one that would be forgotten at once is not noted.
func (l *Ledger) Note(ctx context.Context, config string, e Entry, keep time.Duration, now time.Time) error {
	defer locked(l.configs, config).Unlock()
	return l.changePlaces(ctx, e.TokenID, func(places *storedPlaces) (changed bool, err error) {
		day := e.Until(keep)
		place, known := places.of(config)
		if known {
			isLonger := day > place.Day
			e, err = l.update(ctx, place, e)
			if stored.IsDamaged(err) && e.RevokedAt.IsZero() {
				err = nil // what was to be updated is lost
			}
			if err != nil || !isLonger {
				return false, err
			}
			places.remove(place) // it is forgotten there when its former time is over
		}
		if day < now.UTC().Format(dayLayout) {
			return false, nil
		}
		number, err := l.addToPage(ctx, day, config, e)
		places.Places = append(places.Places, storedPlace{Config: config, Day: day, Page: number})
		return true, err
	})
}

// update takes over what is news of a token that is known, and returns all that is known of it then.
func (l *Ledger) update(ctx context.Context, place storedPlace, e Entry) (Entry, error) {
	page, err := l.page(ctx, place.Day, place.Config, place.Page)
	n := page.find(e.TokenID)
	if err != nil || n < 0 {
		return e, err
	}
	if page.Tokens[n].update(e) {
		err = l.put(ctx, pageKey(place.Day, place.Config, place.Page), page)
	}
	return page.Tokens[n].entry(), err
}

// Found is a token that was looked up.
type Found struct {
	Entry

	Config string
}

// Find returns the configs that the token of that ID was issued for: more than one where configs share an upstream account. It
// reads one entry, and one for each config. Where one of these is damaged it returns all others, and the *stored.DamagedError.
// Errors besides: ErrUnknown, and storage's.
func (l *Ledger) Find(ctx context.Context, tokenID string) ([]Found, error) {
	places, err := l.places(ctx, tokenID)
	if err != nil {
		return nil, err
	}
	var found []Found
	var damaged error
	for _, place := range places.Places {
		page, err := l.page(ctx, place.Day, place.Config, place.Page)
		if stored.IsDamaged(err) {
			damaged = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if n := page.find(tokenID); n >= 0 {
			found = append(found, Found{Config: place.Config, Entry: page.Tokens[n].entry()})
		}
	}
	if len(found) == 0 && damaged == nil {
		return nil, ErrUnknown
	}
	return found, damaged
}

// Of returns the entries of a config, the newest first and no more than most, and whether there are more. It reads one entry, and
// one for each page, but on no day more pages than it takes to find one in which all is too old: where the time that tokens are
// kept was changed, the newest need not stand under the last days. Where pages are damaged it returns all others, and the
// *stored.DamagedError of one.
func (l *Ledger) Of(ctx context.Context, config string, most int) (entries []Entry, more bool, err error) {
	days, err := l.days(ctx, config)
	if err != nil {
		return nil, false, err
	}
	var damaged error
	seen := make(map[string]bool) // a token whose time became longer stands under its former day too
	for _, day := range slices.Backward(days.sorted()) {
		for number := days.Pages[day]; number >= 1; number-- {
			page, err := l.page(ctx, day, config, number)
			if stored.IsDamaged(err) {
				damaged = err
				continue
			}
			if err != nil {
				return nil, false, err
			}
			if page == nil {
				continue
			}
			if more && !page.hasNewer(entries[most-1].IssuedAt) {
				break
			}
			for _, t := range slices.Backward(page.Tokens) { // of one second, the last that was noted comes first
				if !seen[t.ID] {
					seen[t.ID] = true
					entries = append(entries, t.entry())
				}
			}
			if len(entries) > most {
				newestFirst(entries)
				entries, more = entries[:most], true
			}
		}
	}
	newestFirst(entries)
	return entries, more, damaged
}

func newestFirst(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.IssuedAt.Compare(a.IssuedAt) })
}

// Configs lists the names of the configs that have entries, deleted ones included.
func (l *Ledger) Configs(ctx context.Context) ([]string, error) {
	return stored.List(ctx, l.view, configPrefix)
}

// Until is the day after which all that is remembered of a config now will be forgotten; "" where nothing is.
func (l *Ledger) Until(ctx context.Context, config string) (string, error) {
	days, err := l.days(ctx, config)
	if err != nil || len(days.Pages) == 0 {
		return "", err
	}
	sorted := days.sorted()
	return sorted[len(sorted)-1], nil
}

func locked(locks []*locksutil.LockEntry, key string) *locksutil.LockEntry {
	lock := locksutil.LockForKey(locks, key)
	lock.Lock()
	return lock
}

// places is never nil: a token that is not known has none.
func (l *Ledger) places(ctx context.Context, tokenID string) (*storedPlaces, error) {
	places, err := stored.Get(ctx, l.view, idPrefix+tokenID, func(p *storedPlaces) int { return p.Schema }, schema)
	if err == nil && places == nil {
		places = &storedPlaces{Schema: schema}
	}
	return places, err
}

// changePlaces has change say where the entries of a token are from now on. Nothing else writes that, and nothing writes it
// meanwhile: other configs of the same upstream account may be given the token, or forget it.
func (l *Ledger) changePlaces(ctx context.Context, tokenID string, change func(*storedPlaces) (changed bool, err error)) error {
	defer locked(l.ids, tokenID).Unlock()
	places, err := l.places(ctx, tokenID)
	if err != nil {
		return err
	}
	if changed, err := change(places); err != nil || !changed {
		return err
	}
	if len(places.Places) == 0 {
		return l.remove(ctx, idPrefix+tokenID)
	}
	return l.put(ctx, idPrefix+tokenID, places)
}

// days is never nil.
func (l *Ledger) days(ctx context.Context, config string) (*storedDays, error) {
	days, err := stored.Get(ctx, l.view, configPrefix+config, func(d *storedDays) int { return d.Schema }, schema)
	if err != nil {
		return nil, err
	}
	if days == nil {
		days = &storedDays{Schema: schema}
	}
	if days.Pages == nil {
		days.Pages = map[string]int{}
	}
	return days, nil
}

// put returns when storage has responded, however long that takes: a write that was given up could land after the next one.
func (l *Ledger) put(ctx context.Context, key string, entry any) error {
	return stored.Put(context.WithoutCancel(ctx), l.view, key, entry)
}

// remove is put for an entry that goes.
func (l *Ledger) remove(ctx context.Context, key string) error {
	return stored.Delete(context.WithoutCancel(ctx), l.view, key)
}
