// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"reflect"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestLoginOf_EverySettingCounts: after a change of one that does not count, the failure of the former login still would.
func TestLoginOf_EverySettingCounts(t *testing.T) {
	t.Parallel()
	exceptions := map[string]string{
		"RefreshHeaders": "no login sends them", "DefaultTokenTTL": "no login sends it", "RequestTimeout": "no login sends it",
	}
	for field := range reflect.TypeFor[upstream.Account]().Fields() {
		var a upstream.Account
		value := reflect.ValueOf(&a).Elem().FieldByIndex(field.Index)
		switch value.Kind() {
		case reflect.String:
			value.SetString("canary")
		case reflect.Int64:
			value.SetInt(1)
		case reflect.Map:
			value.Set(reflect.ValueOf(map[string]string{"X-Canary": "1"}))
		default:
			t.Fatalf("%s: say here another value of a %s", field.Name, field.Type)
		}
		counts := loginOf(&a) != loginOf(&upstream.Account{})
		check.True(t, counts == (exceptions[field.Name] == ""),
			"%s counts in loginOf: %t. Add it there, if it is not empty; or say in exceptions why it need not count", field.Name, counts)
	}
}
