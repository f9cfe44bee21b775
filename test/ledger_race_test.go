// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/errgroup"
)

// TestLedger_ConcurrentUse is for the race detector, and checks that in the end every token that was given out is known.
func TestLedger_ConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		w := f.mounted(t, "ledger_retention", "24h")
		for n := range 8 {
			w.write(fmt.Sprintf("config/c%d", n), with(f.config, "verify_connection", false, "ledger_retention", n*3600))
			w.write(fmt.Sprintf("role/r%d", n), map[string]any{"config": fmt.Sprintf("c%d", n)})
		}
		given := map[string]bool{}
		for round := range 6 {
			var group errgroup.Group
			ids := make([]string, 8)
			for n := range 8 {
				config, role := fmt.Sprintf("c%d", n), fmt.Sprintf("r%d", n)
				ask := func(op logical.Operation, path string, data map[string]any) {
					group.Go(func() error {
						if r, refused := asRefusal(w.do(t.Context(), op, path, data)); refused && r.status != 404 {
							return fmt.Errorf("%s %s: %v", op, path, r)
						}
						return nil
					})
				}
				group.Go(func() error {
					resp, err := w.do(t.Context(), logical.ReadOperation, "token/"+role, nil)
					if r, refused := asRefusal(resp, err); refused {
						return fmt.Errorf("token/%s: %v", role, r)
					}
					ids[n], _ = resp.Data["token_id"].(string)
					resp, err = w.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": ids[n]})
					if r, refused := asRefusal(resp, err); refused {
						return fmt.Errorf("lookup of a token that was just given out: %v", r)
					}
					return nil
				})
				ask(logical.UpdateOperation, "rotate/"+config, nil)
				ask(logical.ReadOperation, "ledger/"+config, nil)
				ask(logical.ListOperation, "ledger/", nil)
				if n%2 == 0 {
					ask(logical.UpdateOperation, "revoke/"+config, nil)
				}
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			for _, id := range ids {
				given[id] = true
			}
			for id := range given {
				w.lookUp("token_id", id)
			}
			advance(time.Duration(round) * 11 * time.Second)
		}
		w.Reload()
		for id := range given {
			w.lookUp("token_id", id)
		}
		for n := range 8 {
			w.remove(fmt.Sprintf("config/c%d", n))
		}
		advance(4 * day)
		left := w.storedUnder("ledger/")
		check(t, len(left) == 0, "%d entries are left after all are due", len(left))
	})
}
