// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"reflect"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// A time that is not taken along when the clock is set lengthens a life or a hold by as much.
func TestClock_EachTimeIsTakenAlong(t *testing.T) {
	t.Parallel()
	moved := map[string]bool{
		"State.ForcedAt": true, "State.RejectedAt": true, "State.RevokedAt": true,
		"Token.IssuedAt": true, "Token.ExpiresAt": true, "Token.refreshExpiresAt": true, "Token.revokedAt": true, "revokedToken.End": true,
		"Failure.At": true, "Failure.NextAttempt": true, "Failure.stored": true, "Failure.latest": true,
		"Reading.Wall":       true, // of Work.Began; State.GivenUp counts by the elapsed clock
		"ClockSteps.Process": true, // names the process
	}
	seen := make(map[reflect.Type]bool)
	var visit func(of reflect.Type)
	visit = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(of.Elem())
		case reflect.Struct:
			if seen[of] || of == reflect.TypeFor[Account]() { // settings have no clock
				return
			}
			seen[of] = true
			for field := range of.Fields() {
				if name := of.Name() + "." + field.Name; field.Type == reflect.TypeFor[time.Time]() {
					check.True(t, moved[name], "%s has to be taken along by State.move: do that, and name it here", name)
					continue
				}
				visit(field.Type)
			}
		default:
		}
	}
	visit(reflect.TypeFor[State]())
	check.True(t, seen[reflect.TypeFor[Token]()] && seen[reflect.TypeFor[Failure]()], "the tokens and failures of a State were not found")
}
