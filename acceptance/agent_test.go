// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// template is what an application would have Vault Agent write.
const template = `{{ with secret "mastersindia/token/app" }}{{ .Data.token_id }} {{ .Data.authorization }}{{ end }}`

func TestAgent_RendersEachRotatedToken(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	// Vault Agent reads again after 85 to 95 % of the lease; by then two thirds of the token's life are over and it was
	// replaced.
	account := w.upstream.addAccount(t, simulator.Account{Protocol: simulator.JWT, TokenTTL: 40 * time.Second})
	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	name := w.policy(t, "app", `path "mastersindia/token/app" { capabilities = ["read"] }`)
	agent, err := w.StartAgent(filepath.Join(w.Dir, "agent"), w.tokenFor(t, "-policy="+name), template)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := agent.Stop(); err != nil {
			t.Error(err)
		}
	}()
	accepted := func(text string) error {
		_, token, _ := strings.Cut(text, " JWT ")
		if !w.upstream.TokenAlive(token) {
			return fmt.Errorf("upstream does not know the rendered token")
		}
		return nil
	}
	first, err := agent.WaitRendered(t.Context(), 20*time.Second, accepted)
	if err != nil {
		t.Fatal(err)
	}
	_, err = agent.WaitRendered(t.Context(), 60*time.Second, func(text string) error {
		if text == first {
			return fmt.Errorf("still the first token")
		}
		return accepted(text)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.upstream.wantLogins(t, 2)
}
