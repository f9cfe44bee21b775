// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "slices"

// transition is one Apply under way: the state as it becomes, and the effects so far.
type transition struct {
	State

	env     Env
	effects []Effect
	room    [4]Effect // for most transitions
}

// Apply says what becomes of an account when something happens to it, and what is to be done. It is pure, and nothing else
// changes a State.
func (s *State) Apply(env Env, event Event) (State, []Effect) {
	t := &transition{State: *s, env: env}
	t.effects = t.room[:0]
	t.followClock()
	event.apply(t)
	t.logIn()
	t.save()
	return t.State, t.effects
}

// apply has nothing to add: whatever happens, the clock is looked at first.
func (ClockSet) apply(*transition) {}

func (t *transition) emit(e Effect) { t.effects = append(t.effects, e) }

// without is a copy of a list without some of its elements: what a State refers to never changes.
func without[T any](list []T, gone func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), gone) //nolint:forbidigo // of a copy
}

// changeWork puts another version of the work in flight in its place.
func (t *transition) changeWork(change func(w *Work)) {
	w := *t.Work
	change(&w)
	t.Work = &w
}
