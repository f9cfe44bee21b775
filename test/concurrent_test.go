// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// TestConcurrent_EachNameAtOnce has many names come and go at the same time, and all use one account as well, so that the race
// detector, and the runtime's own check of maps, see what they share.
func TestConcurrent_EachNameAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		w := f.mounted(t)
		w.Storage.Fail(mounttest.Put, "role/unstored", mounttest.ErrStorage())
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for round := range 20 {
					name := fmt.Sprintf("name-%d-%d", n, round)
					for _, step := range []request{
						{logical.UpdateOperation, "config/" + name, f.config},
						{logical.UpdateOperation, "role/unstored-" + name, map[string]any{"config": name}},
						{logical.RollbackOperation, "", nil},
						{logical.UpdateOperation, "role/" + name, map[string]any{"config": name}},
						{logical.ReadOperation, "token/" + name, nil},
						{logical.ReadOperation, "status/" + name, nil},
						{logical.ReadOperation, "metrics", nil},
						{logical.UpdateOperation, "rotate/" + name, nil},
						{logical.ReadOperation, "token/app", nil},
						{logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": round + 1}},
						{logical.UpdateOperation, "rotate/gst", nil},
						{logical.UpdateOperation, "revoke/gst", nil},
						{logical.ReadOperation, "ledger/gst", nil},
						{logical.ListOperation, "ledger/", nil},
						{logical.UpdateOperation, "revoke/" + name, nil},
						{logical.DeleteOperation, "role/" + name, nil},
						{logical.DeleteOperation, "config/" + name, nil},
					} {
						r, refused := asRefusal(w.do(t.Context(), step.op, step.path, step.data))
						check.True(t, refused == strings.HasPrefix(step.path, "role/unstored"), "%s %s: %d %s", step.op, step.path, r.status, r.message)
					}
				}
			})
		}
		all.Wait()
		w.wantLiveToken()
		now := w.scrape()
		check.Equal(t, now.samples[`reads_total{config="gst",result="ok"}`], 161, "reads of gst are counted")
		check.Equal(t, now.configs(), []string{"gst"}, "series")
	})
}
