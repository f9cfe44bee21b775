// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// remembered is what ledger/<config> says of one token.
type remembered struct {
	ID          string    `json:"token_id"`
	State       string    `json:"state"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	UsableUntil time.Time `json:"usable_until"`
	Reason      string    `json:"reason"`
	Config      string    `json:"config"` // of lookup only, as the next
	Advice      string    `json:"advice"`
}

// ledgerOf is the response of ledger/<config>; nil where that is a 404.
func (w *testMount) ledgerOf(config string) []remembered {
	w.t.Helper()
	synctest.Wait()
	resp, err := w.tryRead("ledger/"+config, nil)
	check.Require(w.t, err == nil, "ledger/%s: %v", config, err)
	if resp == nil {
		return nil
	}
	var response struct {
		Tokens []remembered `json:"tokens"`
	}
	recode(w.t, resp.Data, &response)
	return response.Tokens
}

// recode takes a response as a client sees it.
func recode(t *testing.T, data map[string]any, into any) {
	t.Helper()
	encoded, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(encoded, into)
	}
	check.NoError(t, err)
}

// lookUp is the response of lookup to a token, or a token_id.
func (w *testMount) lookUp(field, value string) remembered {
	w.t.Helper()
	synctest.Wait()
	var found remembered
	recode(w.t, w.write("lookup", map[string]any{field: value}).Data, &found)
	return found
}

// forgotten checks that lookup knows no token of that ID.
func (w *testMount) forgotten(tokenID string) {
	w.t.Helper()
	synctest.Wait()
	r := w.refusal(logical.UpdateOperation, "lookup", map[string]any{"token_id": tokenID})
	check.True(w.t, r.status == http.StatusNotFound && r.coded, "lookup of %s: %v, want a bare 404", tokenID, r)
	w.says(r.message, tokenID, "ledger_retention")
}

// reasons are those of the tokens of config gst, the oldest first.
func (w *testMount) reasons() []string {
	w.t.Helper()
	var all []string
	for _, token := range slices.Backward(w.ledgerOf("gst")) {
		all = append(all, token.Reason)
	}
	return all
}

func (w *testMount) wantReasons(want ...string) {
	w.t.Helper()
	check.Equal(w.t, w.reasons(), want, "the ledger has")
}

// ledgerAccesses are those of the ledger's storage while f runs: "put ledger/id/…" becomes "put id".
func (w *testMount) ledgerAccesses(f func()) map[string]int {
	w.t.Helper()
	synctest.Wait()
	before := len(w.Storage.Accesses())
	f()
	synctest.Wait()
	counts := map[string]int{}
	for _, access := range w.Storage.Accesses()[before:] {
		kind, key, _ := strings.Cut(access, " ")
		if under, ok := strings.CutPrefix(key, "ledger/"); ok {
			part, _, _ := strings.Cut(under, "/")
			counts[kind+" "+part]++
		}
	}
	return counts
}

func writes(counts map[string]int) int {
	sum := 0
	for access, n := range counts {
		if strings.HasPrefix(access, mounttest.Put) || strings.HasPrefix(access, mounttest.Delete) {
			sum += n
		}
	}
	return sum
}

// refusing lets f run while the upstream refuses every login.
func (w *testMount) refusing(f func()) {
	w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse})
	defer w.Simulator.SetFault("", simulator.Fault{})
	f()
}

func describe(tokens []remembered) string {
	var b strings.Builder
	for _, token := range tokens {
		fmt.Fprintf(&b, "%s %s %s until %s; ", token.ID, token.State, token.Reason, token.UsableUntil.Format(time.RFC3339))
	}
	return b.String()
}
