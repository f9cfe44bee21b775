// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import "context"

// save applies change to the entry and writes its record, in this order and unless the flight is of the past. Records are
// written one after the other, so that the last one written is the last one that was true.
func (i *Issuer) save(ctx context.Context, e *entry, f *flight, change func()) error {
	e.storing.Lock()
	defer e.storing.Unlock()
	e.mu.Lock()
	if f.superseded {
		e.mu.Unlock()
		return nil
	}
	change()
	record := e.record()
	e.mu.Unlock()
	return i.put(ctx, e, record)
}

// put writes an entry's record even if what it is about was cancelled meanwhile: half a truth is worse than none. Callers hold
// e.storing.
func (i *Issuer) put(ctx context.Context, e *entry, record *Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storageTimeout)
	defer cancel()
	err := i.store.Save(ctx, e.name, record)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unsaved = err != nil
	if err == nil {
		i.owed.Delete(e.name)
	}
	return err
}

// record is the account's record: the one that storage has not taken yet, or what storage knows.
func (i *Issuer) record(ctx context.Context, name string) (*Record, error) {
	if value, ok := i.owed.Load(name); ok {
		return value.(*Record), nil //nolint:forcetypeassert // the map holds nothing else
	}
	return i.store.Load(ctx, name)
}

// adopt has the entry take over settings and record, and know whether storage has still to take the record. Callers hold e.mu.
func (i *Issuer) adopt(e *entry, settings *Account, record *Record) {
	e.adopt(settings, record, i.clock(), i.process)
	_, e.unsaved = i.owed.Load(e.name)
}

// settled reports whether storage knows what memory does. Callers hold mu, so that storing must not be waited for.
func (e *entry) settled() bool {
	if e.unsaved || !e.storing.TryLock() {
		return false
	}
	e.storing.Unlock()
	return true
}

// storeOwed starts to store the records of entries that were dropped before storage had taken them.
func (i *Issuer) storeOwed() {
	for name := range i.owed.Range {
		e := i.entry(name.(string)) //nolint:forcetypeassert // the map holds nothing else
		e.mu.Lock()
		if !e.dead && !e.loaded {
			i.join(e, reasonStore)
		}
		e.mu.Unlock()
	}
}

// saveAgain is all that a flight for reasonStore does. A node that may not log in may not write either: there it does nothing.
func (i *Issuer) saveAgain(ctx context.Context, e *entry, f *flight) error {
	if i.mayLogin() == nil {
		return i.save(ctx, e, f, func() {})
	}
	return nil
}

// setRight corrects the token's times after the wall clock was set back, and starts to store them. It returns nil where nothing
// is wrong, or where a flight is under way, whose end will store them. Callers hold e.mu.
func (i *Issuer) setRight(e *entry, now Reading) *flight {
	if e.current == nil {
		return nil
	}
	right, wrong := e.current.setRight(now)
	if !wrong {
		return nil
	}
	e.current = right
	e.publish()
	i.plan(e)
	if e.flight != nil {
		return nil
	}
	return i.start(e, reasonStore, false)
}
