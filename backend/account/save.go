// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

// changed marks a change that must be stored at once.
func (t *transition) changed() {
	t.Version++
	t.Urgent = t.Version
}

// changedLazily marks a change that is stored with the next write or the next sweep.
func (t *transition) changedLazily() { t.Version++ }

// wantsSave reports whether a write is wanted, and none is in flight.
func (s *State) wantsSave() bool { return s.Saving == 0 && s.Urgent > max(s.Saved, s.Lost) }

// save begins a write if one is wanted and none is in flight: so the latest record is always the last one written. What storage
// has of an account that is not in memory is not replaced.
func (t *transition) save() {
	if t.Known == unknown || !t.env.Active || !t.wantsSave() {
		return
	}
	t.Saving = t.Version
	t.emit(SaveRecord{Version: t.Version, Record: t.record(t.env)})
}

// apply takes note of what became of a write, and goes on with the work that waited for it.
func (e Saved) apply(t *transition) {
	t.Saving, t.SaveErr = 0, e.Err
	if e.Err == nil {
		t.Saved = e.Version
	} else {
		t.Lost = e.Version
	}
	t.sendToLedger()
	t.emit(Wake{})
	w := t.Work
	if w == nil || e.Version < w.Version {
		return
	}
	switch {
	case w.Step == noting && e.Err != nil:
		t.startFailed(e.Err)
	case w.Step == storing:
		t.finish(e.Err)
	}
}

// apply is for what no event brings: what is not to be relied on is read again without a reader, storage and ledger are sent
// again what they refused, and what has ended is dropped.
func (Sweep) apply(t *transition) {
	if t.Known == stale || t.Known == unknown && t.Version > 0 { // see Broken
		t.load()
	}
	if t.Version > t.Saved {
		t.changed()
	}
	t.sendToLedger()
	if t.Known == absent {
		t.dropOverOfDeleted()
	}
	t.dropOver()
}
