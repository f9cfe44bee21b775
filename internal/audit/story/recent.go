// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

// recent is a map that forgets its oldest keys.
type recent[K comparable, V any] struct {
	values map[K]V
	order  []K
	next   int
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{values: make(map[K]V), order: make([]K, 0, most)}
}

// put adds a value, and returns the one that was forgotten for it.
func (r *recent[K, V]) put(key K, value V) (forgotten V, full bool) {
	if _, known := r.values[key]; known {
		r.values[key] = value
		return forgotten, false
	}
	r.values[key] = value
	if len(r.order) < cap(r.order) {
		r.order = append(r.order, key)
		return forgotten, false
	}
	oldest := r.order[r.next]
	forgotten, full = r.values[oldest]
	delete(r.values, oldest)
	r.order[r.next] = key
	r.next = (r.next + 1) % len(r.order)
	return forgotten, full
}

func (r *recent[K, V]) get(key K) (V, bool) {
	value, ok := r.values[key]
	return value, ok
}

// take returns a value and drops it.
func (r *recent[K, V]) take(key K) (V, bool) {
	value, ok := r.values[key]
	delete(r.values, key)
	return value, ok
}

// rows are the newest of many rows.
type rows struct {
	kept []row
	next int
	cut  int64
}

func newRows(most int) *rows { return &rows{kept: make([]row, 0, min(most, 1024))} }

// add keeps a row; most is how many are kept.
func (r *rows) add(one row, most int) {
	if len(r.kept) < most {
		r.kept = append(r.kept, one)
		return
	}
	r.cut++
	if most > 0 {
		r.kept[r.next] = one
		r.next = (r.next + 1) % most
	}
}
