// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"iter"
	"sync"
)

// workers are those in memory, by account. None is ever replaced: two of one account would log in twice.
type workers struct{ byName sync.Map }

// of returns the account's worker if there is one. The caller only looks at it: to keep it there is acquire.
func (w *workers) of(name string) (*worker, bool) {
	value, ok := w.byName.Load(name)
	if !ok {
		return nil, false
	}
	return value.(*worker), true //nolint:forcetypeassert // the map holds nothing else
}

// addOrGet adds a worker where its account has none, and returns the one that the account has then.
func (w *workers) addOrGet(made *worker) *worker {
	value, _ := w.byName.LoadOrStore(made.name, made)
	return value.(*worker) //nolint:forcetypeassert // the map holds nothing else
}

// remove removes this worker, and no other of its account.
func (w *workers) remove(gone *worker) { w.byName.CompareAndDelete(gone.name, gone) }

func (w *workers) all() iter.Seq[*worker] {
	return func(yield func(*worker) bool) {
		w.byName.Range(func(_, value any) bool { return yield(value.(*worker)) }) //nolint:forcetypeassert // nothing else
	}
}
