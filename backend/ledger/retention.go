// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package ledger

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

// Trim forgets the tokens whose day is over, and returns how many that were. It lists the days once a day, reads only what it
// forgets, and can be cut off at any point: what is left is forgotten the next time. The error is the first of several.
func (l *Ledger) Trim(ctx context.Context, now time.Time) (forgotten int, err error) {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	today := now.UTC().Format(dayLayout)
	if l.trimmed == today {
		return 0, nil
	}
	days, err := stored.List(ctx, l.view, dayPrefix)
	if err != nil {
		return 0, err
	}
	for _, folder := range days {
		day := strings.TrimSuffix(folder, "/")
		if day >= today {
			continue
		}
		n, failed := l.trimDay(ctx, day)
		forgotten += n
		if ctx.Err() != nil {
			return forgotten, ctx.Err()
		}
		err = cmp.Or(err, failed)
	}
	if err == nil {
		l.trimmed = today
	}
	return forgotten, err
}

// trimDay goes on where something cannot be read: one page must not keep all others for ever.
func (l *Ledger) trimDay(ctx context.Context, day string) (forgotten int, err error) {
	configs, err := stored.List(ctx, l.view, dayPrefix+day+"/")
	if err != nil {
		return 0, err
	}
	for _, folder := range configs {
		n, failed := l.trimConfig(ctx, day, strings.TrimSuffix(folder, "/"))
		forgotten += n
		if ctx.Err() != nil {
			return forgotten, ctx.Err()
		}
		err = cmp.Or(err, failed)
	}
	return forgotten, err
}

// trimConfig forgets the pages of one config on one day. The config forgets the day first, and the tokens their places, so that
// a page that is left says what else is left.
func (l *Ledger) trimConfig(ctx context.Context, day, config string) (forgotten int, err error) {
	defer locked(l.configs, config).Unlock()
	if err := l.forgetDay(ctx, day, config); err != nil {
		return 0, err
	}
	numbers, err := stored.List(ctx, l.view, dayPrefix+day+"/"+config+"/")
	if err != nil {
		return 0, err
	}
	for _, text := range numbers {
		number, wrong := strconv.Atoi(text)
		if wrong != nil {
			continue // none of ours
		}
		n, failed := l.trimPage(ctx, day, config, number)
		forgotten += n
		if ctx.Err() != nil {
			return forgotten, ctx.Err()
		}
		err = cmp.Or(err, failed)
	}
	return forgotten, err
}

func (l *Ledger) forgetDay(ctx context.Context, day, config string) error {
	days, err := l.days(ctx, config)
	if err != nil || days.Pages[day] == 0 {
		return err
	}
	delete(days.Pages, day)
	if len(days.Pages) == 0 {
		return l.remove(ctx, configPrefix+config)
	}
	return l.put(ctx, configPrefix+config, days)
}

func (l *Ledger) trimPage(ctx context.Context, day, config string, number int) (forgotten int, err error) {
	page, err := l.page(ctx, day, config, number)
	if err != nil || page == nil {
		return 0, err
	}
	for _, t := range page.Tokens {
		if err := l.changePlaces(ctx, t.ID, func(places *storedPlaces) (changed bool, err error) {
			places.remove(storedPlace{Config: config, Day: day, Page: number})
			return true, nil
		}); err != nil {
			return forgotten, err
		}
		forgotten++
	}
	return forgotten, l.remove(ctx, pageKey(day, config, number))
}
