// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestConcurrent_EachNameAtOnce has many names come and go at the same time, so that the race detector, and the runtime's own check of
// maps, see what all names share.
func TestConcurrent_EachNameAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := oauth()
		w := newTestMount(t, f.account)
		w.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
			if access == mounttest.Put && strings.HasPrefix(key, "role/unstored") {
				return mounttest.Fault{Err: errors.New("storage: no space left on device")}
			}
			return mounttest.Fault{}
		})
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for round := range 20 {
					name := fmt.Sprintf("name-%d-%d", n, round)
					for _, step := range []struct {
						op   logical.Operation
						path string
						data map[string]any
					}{
						{logical.UpdateOperation, "config/" + name, f.config},
						{logical.UpdateOperation, "role/unstored-" + name, map[string]any{"config": name}},
						{logical.RollbackOperation, "", nil},
						{logical.UpdateOperation, "role/" + name, map[string]any{"config": name}},
						{logical.ReadOperation, "token/" + name, nil},
						{logical.ReadOperation, "status/" + name, nil},
						{logical.ReadOperation, "metrics", nil},
						{logical.UpdateOperation, "revoke/" + name, nil},
						{logical.DeleteOperation, "role/" + name, nil},
						{logical.DeleteOperation, "config/" + name, nil},
					} {
						r, refused := asRefusal(w.do(t.Context(), step.op, step.path, step.data))
						check.True(t, refused == strings.HasPrefix(step.path, "role/unstored"),
							"%s %s: %d %s", step.op, step.path, r.status, r.message)
					}
				}
			})
		}
		all.Wait()
	})
}
