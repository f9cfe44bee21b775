// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

// coldReaders is enough to pile up while a login is in flight, and few enough for two cores.
const coldReaders = 100

func TestSharedLogin_HundredColdReaders(t *testing.T) {
	t.Parallel()
	for _, protocol := range simulator.Protocols() {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			w.writeConfig(t, "main", w.account(t, protocol), "verify_connection=false")
			for role := range 3 {
				w.writeRole(t, fmt.Sprintf("app-%d", role), "main")
			}
			w.upstream.SetFault(protocol, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Second})
			ids := w.readAtOnce(t, coldReaders)
			for _, id := range ids {
				if id != ids[0] {
					t.Errorf("readers got different tokens: %s and %s", ids[0], id)
				}
			}
			w.upstream.wantLogins(t, 1)
		})
	}
}

func TestSharedLogin_ContinuesAfterReaderCancels(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.writeConfig(t, "main", w.account(t, simulator.JWT), "verify_connection=false")
	w.writeRole(t, "app", "main")
	w.upstream.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 2 * time.Second})
	client := w.rootClient(t)
	impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := client.Logical().ReadWithContext(impatient, "mastersindia/token/app"); err == nil {
		t.Error("the login took less than the delay that was ordered: this test proves nothing")
	}
	w.upstream.wantAccepted(t, simulator.JWT, w.readToken(t, "app"))
	w.upstream.wantLogins(t, 1)
}

// readAtOnce reads through the roles app-0, app-1 and app-2 in turn, all at the same time, and returns the token_id of each
// response.
func (w *testVault) readAtOnce(t *testing.T, readers int) []string {
	t.Helper()
	client := w.rootClient(t)
	ids := make([]string, readers)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range ids {
		group.Go(func() error {
			response, err := client.Logical().ReadWithContext(ctx, fmt.Sprintf("mastersindia/token/app-%d", i%3))
			if err != nil {
				return err
			}
			ids[i], _ = response.Data["token_id"].(string)
			return nil
		})
	}
	must.Do(t, group.Wait())
	return ids
}
