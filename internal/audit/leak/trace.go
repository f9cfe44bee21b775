// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package leak

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// hashTimeout bounds one question to Vault.
const hashTimeout = 15 * time.Second

// Hasher asks Vault what an audit device makes of a text.
type Hasher struct {
	client *api.Client
	device string
}

// NewHasher returns a Hasher for an audit device, such as file, of the Vault that the environment names.
func NewHasher(device string) (*Hasher, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	client.SetMaxRetries(1)
	return &Hasher{client: client, device: device}, nil
}

// Hash returns what the device writes instead of the text. Vault hashes with a key of the device's own, which nobody else has.
func (h *Hasher) Hash(ctx context.Context, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, hashTimeout)
	defer cancel()
	hmac, err := h.client.Sys().AuditHashWithContext(ctx, h.device, text)
	if err != nil {
		return "", fmt.Errorf("asking Vault at %s for the hash of audit device %s: %w", h.client.Address(), h.device, err)
	}
	return hmac, nil
}

// Names prepares the search for a token. A nil Hasher means that Vault cannot be asked, and why says the reason.
func Names(ctx context.Context, token string, h *Hasher, why string) (*story.Leaked, error) {
	leaked := &story.Leaked{TokenID: entry.TokenID(token)}
	leaked.Checked = append(leaked.Checked, "token_id "+leaked.TokenID+", where the mount is tuned to show it")
	if h == nil {
		leaked.Unchecked = append(leaked.Unchecked, "the HMAC of the token: "+why)
		return leaked, nil
	}
	ofToken, err := h.Hash(ctx, token)
	if err != nil {
		return nil, err
	}
	ofID, err := h.Hash(ctx, leaked.TokenID)
	if err != nil {
		return nil, err
	}
	leaked.TokenHMACs, leaked.IDHMACs = []string{ofToken}, []string{ofID}
	leaked.Checked = append(leaked.Checked, "the HMAC that audit device "+h.device+" makes of the token")
	return leaked, nil
}
