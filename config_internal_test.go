// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestConfig_EveryFieldHasARowAndACopy: a field without a row cannot be written or read, and one that a clone shares changes under
// those who read the original.
func TestConfig_EveryFieldHasARowAndACopy(t *testing.T) {
	t.Parallel()
	c := &config{Headers: map[string]string{}, RefreshHeaders: map[string]string{}}
	rows := map[any]string{} // by what they point to
	for _, f := range configFields() {
		rows[f.at(c)] = f.name
	}
	engines := []string{"schema", "generation", "credentials_updated_at"} // written by the engine, not by users
	copied := reflect.ValueOf(c.clone()).Elem()
	for field, value := range reflect.ValueOf(c).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		check.True(t, slices.Contains(engines, name) || rows[value.Addr().Interface()] == name,
			"%s: configFields in config.go has no row %q whose at is &c.%s", field.Name, name, field.Name)
		switch value.Kind() {
		case reflect.String, reflect.Int, reflect.Bool:
		case reflect.Map, reflect.Slice, reflect.Pointer:
			check.True(t, !value.IsNil() && value.UnsafePointer() != copied.FieldByIndex(field.Index).UnsafePointer(),
				"%s: set it in this test, and let clone in config.go copy it", field.Name)
		default:
			check.True(t, field.Type == reflect.TypeFor[time.Time](), "%s: say here whether a clone shares anything of a %s", field.Name, field.Type)
		}
	}
}
