// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package ledger

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"
)

// Trim forgets the tokens whose day is over, and returns how many that were. It lists the days, reads only what it forgets, and
// can be cut off at any point: what is left is forgotten the next time. The error is the first of several.
func (l *Ledger) Trim(ctx context.Context, now time.Time) (forgotten int, err error) {
	if l.view == nil {
		return 0, errNoStorage
	}
	days, err := l.view.List(ctx, dayPrefix)
	if err != nil {
		return 0, err
	}
	today := now.UTC().Format(dayLayout)
	for _, folder := range days {
		day := strings.TrimSuffix(folder, "/")
		if day >= today {
			continue
		}
		configs, failed := l.view.List(ctx, dayPrefix+folder)
		if failed != nil {
			return forgotten, failed
		}
		for _, folder := range configs {
			n, failed := l.trimConfig(ctx, day, strings.TrimSuffix(folder, "/"))
			forgotten += n
			if ctx.Err() != nil {
				return forgotten, ctx.Err()
			}
			// One page that cannot be read must not keep all others for ever.
			err = cmp.Or(err, failed)
		}
	}
	return forgotten, err
}

// trimConfig forgets the pages of one config on one day: in each the places of its tokens first, so that a page that is left says
// what else is left.
func (l *Ledger) trimConfig(ctx context.Context, day, config string) (forgotten int, err error) {
	lock := l.lock(config)
	defer lock.Unlock()
	numbers, err := l.view.List(ctx, dayPrefix+day+"/"+config+"/")
	if err != nil {
		return 0, err
	}
	for _, text := range numbers {
		number, err := strconv.Atoi(text)
		if err != nil {
			continue // none of ours
		}
		n, err := l.trimPage(ctx, day, config, number)
		forgotten += n
		if err != nil {
			return forgotten, err
		}
	}
	kept, err := l.days(ctx, config)
	if err != nil {
		return forgotten, err
	}
	delete(kept.Pages, day)
	if len(kept.Pages) == 0 {
		return forgotten, l.view.Delete(ctx, configPrefix+config)
	}
	return forgotten, l.put(ctx, configPrefix+config, kept)
}

func (l *Ledger) trimPage(ctx context.Context, day, config string, number int) (forgotten int, err error) {
	page, err := l.page(ctx, day, config, number)
	if err != nil || page == nil {
		return 0, err
	}
	for _, t := range page.Tokens {
		// Two configs of one account may be given the same token: then its place is the one that was noted last.
		place, err := l.place(ctx, t.ID)
		if err != nil {
			return forgotten, err
		}
		if place != nil && place.Config == config && place.Day == day {
			if err := l.view.Delete(ctx, idPrefix+t.ID); err != nil {
				return forgotten, err
			}
		}
		forgotten++
	}
	return forgotten, l.view.Delete(ctx, pageKey(day, config, number))
}
