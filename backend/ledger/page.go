// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package ledger

import (
	"context"
	"slices"
	"strconv"
	"time"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

// storedPage holds tokens of one config that are forgotten together, in the order in which they were issued.
type storedPage struct {
	Schema int           `json:"schema"`
	Tokens []storedToken `json:"tokens"`
}

// find returns where in the page the token is, or -1. A page that is not there has none.
func (p *storedPage) find(tokenID string) int {
	if p == nil {
		return -1
	}
	return slices.IndexFunc(p.Tokens, func(t storedToken) bool { return t.ID == tokenID })
}

// hasNewer reports whether a token in the page was issued after that moment.
func (p *storedPage) hasNewer(than time.Time) bool {
	return slices.ContainsFunc(p.Tokens, func(t storedToken) bool { return t.IssuedAt > than.Unix() })
}

// addToPage puts an entry into the last page of that day, or a new one, and returns its number. The config knows of the page
// before there is one: whatever is cut off, nothing that was written is out of reach.
func (l *Ledger) addToPage(ctx context.Context, day, config string, e Entry) (number int, err error) {
	days, err := l.days(ctx, config)
	if err != nil {
		return 0, err
	}
	number = max(days.Pages[day], 1)
	page, err := l.page(ctx, day, config, number)
	damaged := stored.IsDamaged(err)
	if err != nil && !damaged {
		return 0, err
	}
	if n := page.find(e.TokenID); n >= 0 { // a write that was cut off has come as far as this
		if !page.Tokens[n].update(e) {
			return number, nil
		}
		return number, l.put(ctx, pageKey(day, config, number), page)
	}
	if damaged || page != nil && len(page.Tokens) >= pageSize {
		number, page = number+1, nil
	}
	if page == nil {
		page = &storedPage{Schema: schema}
	}
	if days.Pages[day] != number {
		days.Pages[day] = number
		if err := l.put(ctx, configPrefix+config, days); err != nil {
			return 0, err
		}
	}
	page.Tokens = append(page.Tokens, store(e))
	return number, l.put(ctx, pageKey(day, config, number), page)
}

func pageKey(day, config string, number int) string {
	return dayPrefix + day + "/" + config + "/" + strconv.Itoa(number)
}

// page returns nil where there is none of that number.
func (l *Ledger) page(ctx context.Context, day, config string, number int) (*storedPage, error) {
	return stored.Get(ctx, l.view, pageKey(day, config, number), func(p *storedPage) int { return p.Schema }, schema)
}
