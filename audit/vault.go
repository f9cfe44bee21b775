// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// vaultTimeout bounds one request to Vault.
const vaultTimeout = 15 * time.Second

// mostHashes bounds how many texts Vault is asked to hash for each device, besides the leaked token.
const mostHashes = 500

// askVault has Vault's audit devices hash the leaked token, the token_ids of revoked tokens, and texts that the log is likely to
// have as HMACs: those tell whether a line was made by a device as it is today.
func (s *store) askVault(ctx context.Context, o options, leaked string) error {
	if leaked != "" {
		if err := s.addToken(ctx, token{id: tokenID(leaked)}); err != nil {
			return err
		}
	}
	revoked, err := s.texts(ctx, "SELECT DISTINCT token_id FROM revoked ORDER BY 1")
	if err != nil {
		return err
	}
	for _, id := range revoked {
		if err := s.addToken(ctx, token{id: id}); err != nil {
			return err
		}
	}
	if leaked == "" && len(o.devices) == 0 {
		return nil
	}
	if os.Getenv("VAULT_ADDR") == "" || os.Getenv("VAULT_TOKEN") == "" {
		return s.note(ctx, false, "Vault was not asked for HMACs: VAULT_ADDR and VAULT_TOKEN are not both set. "+
			"Only token_ids that the log shows could be compared.")
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return config.Error
	}
	client, err := api.NewClient(config)
	if err != nil {
		return err
	}
	client.SetMaxRetries(1)
	client.SetClientTimeout(vaultTimeout)
	devices, err := s.devices(ctx, client, o.devices)
	if err != nil {
		return err
	}
	known, err := s.texts(ctx, `SELECT 'JWT' AS text UNION SELECT 'Bearer'
		UNION SELECT value FROM parameter WHERE name = 'authorization_scheme' AND state = 'shown' AND value <> ''
		UNION SELECT name FROM line WHERE name <> '' AND (path LIKE '%config/%' OR kind IN ('rotate', 'revoke'))
		UNION SELECT config FROM seen_token WHERE config <> '' ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, device := range devices {
		h := hasher{client.Sys(), device}
		if err := s.askDevice(ctx, h, leaked, revoked, known); err != nil {
			return fmt.Errorf("%w; check -audit-device (vault audit list) and that the Vault token may update sys/audit-hash/%s, "+
				"or unset VAULT_ADDR to compare token_ids alone", err, device)
		}
	}
	return nil
}

// devices are the audit devices to ask: those given, else those that Vault lists.
func (s *store) devices(ctx context.Context, client *api.Client, given []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	listed, err := client.Sys().ListAuditWithContext(ctx)
	if err == nil && len(listed) == 0 {
		err = errors.New("it has none")
	}
	if err != nil {
		return nil, fmt.Errorf("asking Vault at %s for its audit devices: %w; the Vault token needs read and sudo on sys/audit, "+
			"or name the devices with -audit-device, or unset VAULT_ADDR to compare token_ids alone", client.Address(), err)
	}
	devices := slices.Sorted(maps.Keys(listed))
	for n := range devices {
		devices[n] = strings.TrimSuffix(devices[n], "/")
	}
	return devices, s.note(ctx, false, "Asked Vault for the HMACs of its audit devices: %s.", strings.Join(devices, ", "))
}

// hasher asks Vault what an audit device makes of a text.
type hasher struct {
	sys    *api.Sys
	device string
}

func (h hasher) hash(ctx context.Context, text string) (string, error) {
	hmac, err := h.sys.AuditHashWithContext(ctx, h.device, text)
	if err != nil {
		return "", fmt.Errorf("asking Vault for the hash of audit device %s: %w", h.device, err)
	}
	return hmac, nil
}

// askDevice stores HMACs of one device. Those of a token become names of that token.
func (s *store) askDevice(ctx context.Context, h hasher, leaked string, revoked, known []string) error {
	if leaked != "" {
		access, err := h.hash(ctx, leaked)
		if err != nil {
			return err
		}
		hiddenID, err := h.hash(ctx, tokenID(leaked))
		if err != nil {
			return err
		}
		if err := s.addToken(ctx, token{id: tokenID(leaked), hiddenID: hiddenID, access: access}); err != nil {
			return err
		}
	}
	for n, id := range revoked {
		if n == mostHashes {
			return s.note(ctx, false, "Vault was asked for the HMACs of %d of %d revoked tokens.", mostHashes, len(revoked))
		}
		hiddenID, err := h.hash(ctx, id)
		if err != nil {
			return err
		}
		if err := s.addToken(ctx, token{id: id, hiddenID: hiddenID}); err != nil {
			return err
		}
	}
	for _, text := range known[:min(len(known), mostHashes)] {
		hmac, err := h.hash(ctx, text)
		if err != nil {
			return err
		}
		if err := s.exec(ctx, "INSERT OR IGNORE INTO hmac VALUES (?, ?, ?)", hmac, h.device, text); err != nil {
			return err
		}
	}
	return nil
}
