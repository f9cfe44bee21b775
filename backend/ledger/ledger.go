// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package ledger remembers every shared token that was issued, without the token: for whom it was, when it lives, why it was
// asked for, and whether it was revoked. It answers "whose token is this" long after the token and its config are gone.
//
// Entries are kept in pages, so that neither looking one up nor forgetting old ones walks over all of them:
//
//	ledger/day/<day>/<config>/<page>   the entries of a config that are forgotten after that day
//	ledger/id/<token_id>               in which page the entry is
//	ledger/config/<config>             how many pages the config has on which day
//
// A lookup reads two entries of storage, and what is forgotten in one go is all that stands under past days.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"
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
	// RevokedAt is zero for a token that was not revoked; Upstream says what telling the upstream came to.
	RevokedAt time.Time
	Upstream  string
}

// Ledger keeps the entries of one mount. It is safe for concurrent use by one process.
type Ledger struct {
	view logical.Storage
	// locks order the writes about one config.
	locks []*locksutil.LockEntry
}

// New makes a ledger in the given storage. It touches nothing yet.
func New(view logical.Storage) *Ledger {
	return &Ledger{view: view, locks: locksutil.CreateLocks()}
}

// Note remembers a token for keep after it has expired, and at most a day longer. A token that is known already stays as it is.
func (l *Ledger) Note(ctx context.Context, config string, e Entry, keep time.Duration) error {
	lock := l.lock(config)
	defer lock.Unlock()
	if place, err := l.place(ctx, e.TokenID); err != nil || place != nil && place.Config == config {
		return err
	}
	days, err := l.days(ctx, config)
	if err != nil {
		return err
	}
	day := e.ExpiresAt.Add(keep).UTC().Format(dayLayout)
	number := max(days.Pages[day], 1)
	page, err := l.page(ctx, day, config, number)
	if err != nil {
		return err
	}
	if page == nil {
		page = &storedPage{Schema: schema}
	}
	if len(page.Tokens) >= pageSize {
		number, page = number+1, &storedPage{Schema: schema}
	}
	// Each step leaves what came before reachable: first the config knows of the page, then the page of the token, then the token
	// of its place.
	if days.Pages[day] != number {
		days.Pages[day] = number
		if err := l.put(ctx, configPrefix+config, days); err != nil {
			return err
		}
	}
	page.add(store(e))
	if err := l.put(ctx, pageKey(day, config, number), page); err != nil {
		return err
	}
	return l.put(ctx, idPrefix+e.TokenID, storedPlace{Schema: schema, Config: config, Day: day, Page: number})
}

// Revoked remembers that a token was revoked, and what telling the upstream came to. The first moment counts.
func (l *Ledger) Revoked(ctx context.Context, config, tokenID string, at time.Time, upstream string) error {
	lock := l.lock(config)
	defer lock.Unlock()
	place, err := l.place(ctx, tokenID)
	if err != nil || place == nil || place.Config != config {
		return err
	}
	page, err := l.page(ctx, place.Day, config, place.Page)
	if err != nil || page == nil {
		return err
	}
	n := page.find(tokenID)
	if n < 0 || page.Tokens[n].RevokedAt != 0 && page.Tokens[n].Upstream == upstream {
		return nil
	}
	if page.Tokens[n].RevokedAt == 0 {
		page.Tokens[n].RevokedAt = at.Unix()
	}
	page.Tokens[n].Upstream = upstream
	return l.put(ctx, pageKey(place.Day, config, place.Page), page)
}

// Find tells of the token of that ID for which config it was issued. It reads two entries. Errors: ErrUnknown, and storage's.
func (l *Ledger) Find(ctx context.Context, tokenID string) (config string, e Entry, err error) {
	place, err := l.place(ctx, tokenID)
	if err != nil {
		return "", Entry{}, err
	}
	if place == nil {
		return "", Entry{}, ErrUnknown
	}
	page, err := l.page(ctx, place.Day, place.Config, place.Page)
	if err != nil {
		return "", Entry{}, err
	}
	if n := page.find(tokenID); n >= 0 {
		return place.Config, page.Tokens[n].entry(), nil
	}
	return "", Entry{}, ErrUnknown
}

// Of returns the entries of a config, the newest first and no more than most, and whether there are more. It reads one entry, and
// one for each page.
func (l *Ledger) Of(ctx context.Context, config string, most int) (entries []Entry, more bool, err error) {
	days, err := l.days(ctx, config)
	if err != nil {
		return nil, false, err
	}
	for _, day := range slices.Backward(days.sorted()) {
		if len(entries) > most {
			break
		}
		for number := days.Pages[day]; number >= 1; number-- {
			page, err := l.page(ctx, day, config, number)
			if err != nil {
				return nil, false, err
			}
			if page == nil {
				continue
			}
			for _, t := range page.Tokens {
				entries = append(entries, t.entry())
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.IssuedAt.Compare(a.IssuedAt) })
	if len(entries) > most {
		return entries[:most], true, nil
	}
	return entries, false, nil
}

// Configs lists the names of the configs that have entries, deleted ones included.
func (l *Ledger) Configs(ctx context.Context) ([]string, error) {
	if l.view == nil {
		return nil, errNoStorage
	}
	return l.view.List(ctx, configPrefix)
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

func (l *Ledger) lock(config string) *locksutil.LockEntry {
	lock := locksutil.LockForKey(l.locks, config)
	lock.Lock()
	return lock
}

func pageKey(day, config string, number int) string {
	return dayPrefix + day + "/" + config + "/" + strconv.Itoa(number)
}

// place returns nil where the token is not known.
func (l *Ledger) place(ctx context.Context, tokenID string) (*storedPlace, error) {
	return get(ctx, l.view, idPrefix+tokenID, func(p *storedPlace) int { return p.Schema })
}

// page returns nil where there is none of that number.
func (l *Ledger) page(ctx context.Context, day, config string, number int) (*storedPage, error) {
	return get(ctx, l.view, pageKey(day, config, number), func(p *storedPage) int { return p.Schema })
}

// days is never nil.
func (l *Ledger) days(ctx context.Context, config string) (*storedDays, error) {
	days, err := get(ctx, l.view, configPrefix+config, func(d *storedDays) int { return d.Schema })
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

// get reads an entry; nil where there is none. The error of one that cannot be read names its key.
func get[T any](ctx context.Context, view logical.Storage, key string, version func(*T) int) (*T, error) {
	if view == nil {
		return nil, errNoStorage
	}
	stored, err := view.Get(ctx, key)
	if err != nil || stored == nil {
		return nil, err
	}
	entry := new(T)
	if err := stored.DecodeJSON(entry); err != nil {
		return nil, fmt.Errorf("the storage entry %s cannot be read: it is damaged", key)
	}
	if got := version(entry); got < 1 || got > schema {
		return nil, fmt.Errorf("the storage entry %s has schema %d, and this version of the plugin knows 1 to %d: "+
			"was it written by a newer version?", key, got, schema)
	}
	return entry, nil
}

func (l *Ledger) put(ctx context.Context, key string, entry any) error {
	stored, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return errors.New("the storage entry " + key + " cannot be encoded")
	}
	return l.view.Put(ctx, stored)
}

// errNoStorage: the backend was made without storage, as Vault does to learn its version.
var errNoStorage = errors.New("this backend has no storage")
