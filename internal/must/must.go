// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package must has the checks that the tests share: Do, Get and Happen end the test, Be, Equal and Say let it go on.
package must

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Do fails the test where err is not nil.
func Do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Get gives the value of a call that returns one and an error: text := must.Get(os.ReadFile(name))(t).
func Get[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		Do(t, err)
		return value
	}
}

// Happen waits for what happens elsewhere, and ends the test where it has not happened within that time.
func Happen(t testing.TB, within time.Duration, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !happened(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", within, what)
		}
	}
}

// Say fails the test for each text that is not in what was said.
func Say(t testing.TB, said string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(said, want) {
			t.Errorf("want %q, got: %s", want, said)
		}
	}
}

// Equal fails the test where what was got is not what is wanted.
func Equal[T comparable](t testing.TB, got, want T, what string, args ...any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", fmt.Sprintf(what, args...), got, want)
	}
}

// Be fails the test, with this complaint, where something does not hold.
func Be(t testing.TB, holds bool, complaint string, args ...any) {
	t.Helper()
	if !holds {
		t.Errorf(complaint, args...)
	}
}
