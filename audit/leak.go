// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/api"
)

// leakedToken reads the leaked token from the file or standard input of the options. It is empty if there is none.
func leakedToken(o options, stdin io.Reader) (token string, err error) {
	switch {
	case o.tokenStdin:
		return readToken(stdin)
	case o.tokenFile == "":
		return "", nil
	}
	text, err := os.ReadFile(o.tokenFile)
	if err == nil {
		if token, err = readToken(bytes.NewReader(text)); err != nil {
			err = fmt.Errorf("%s: %w", o.tokenFile, err)
		}
	}
	return token, err
}

// readToken reads a token, alone or as the value of an Authorization header. What is not clearly one token is an error, since a
// search for it would find nobody. No error has any of the text in it.
func readToken(r io.Reader) (string, error) {
	const mostToken = 64 << 10 // bytes; the vendors' have some hundred
	text, err := io.ReadAll(io.LimitReader(r, mostToken+1))
	if err != nil {
		return "", err
	}
	// Editors put a byte order mark before a text, and jq puts quotes around it.
	words := strings.Fields(strings.Trim(strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff")), `"`))
	if len(words) > 0 && strings.EqualFold(words[0], "Authorization:") {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return "", errors.New("there is no token in it")
	case len(text) > mostToken, len(words) > 2, len(words) == 2 && !isScheme(words[0]):
		return "", errors.New("there is more than one token in it: give one, alone or as the value of an Authorization header")
	}
	token := words[len(words)-1]
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return "", errors.New("there is more in it than a token: give it alone in plain text, or as the value of a header")
	}
	return token, nil
}

// isScheme tells a scheme such as JWT or Bearer from a token.
func isScheme(word string) bool {
	const longest = 20
	return len(word) <= longest && !strings.ContainsFunc(word, func(r rune) bool {
		return r > unicode.MaxASCII || r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// askVault has Vault's audit devices hash the leaked token, the token_ids of revoked tokens, and texts that the log is likely to
// have as HMACs: those tell whether a line was made by a device as it is today.
func (s *store) askVault(ctx context.Context, o options) error {
	revoked, err := s.texts(ctx, "SELECT DISTINCT token_id FROM revoked ORDER BY 1")
	if err != nil {
		return err
	}
	for _, id := range append(revoked, tokenID(o.leaked)) {
		if err := s.nameToken(ctx, id, "", ""); err != nil {
			return err
		}
	}
	if o.leaked == "" && len(o.devices) == 0 {
		return nil
	}
	if os.Getenv("VAULT_ADDR") == "" || os.Getenv("VAULT_TOKEN") == "" {
		return s.note(false, "Vault was not asked for HMACs: VAULT_ADDR and VAULT_TOKEN are not both set. "+
			"Only token_ids that the log shows could be compared.")
	}
	client, err := api.NewClient(nil)
	if err != nil {
		return err
	}
	client.SetMaxRetries(1)
	client.SetClientTimeout(15 * time.Second)
	devices, err := s.devices(ctx, client, o.devices)
	if err != nil {
		return err
	}
	texts, err := s.texts(ctx, `SELECT 'JWT' AS text UNION SELECT 'Bearer'
		UNION SELECT value FROM parameter WHERE name = 'authorization_scheme' AND state = 'shown' AND value <> ''
		UNION SELECT name FROM line WHERE name <> '' AND (path LIKE '%config/%' OR kind IN ('rotate', 'revoke'))
		UNION SELECT config FROM seen_token WHERE config <> '' ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, device := range devices {
		if err := s.askDevice(ctx, client, device, o.leaked, revoked, texts); err != nil {
			return fmt.Errorf("asking Vault for the hash of audit device %s: %w; check -audit-device (vault audit list) and that the "+
				"Vault token may update sys/audit-hash/%s, or unset VAULT_ADDR to compare token_ids alone", device, err, device)
		}
	}
	return nil
}

// nameToken stores names of one token.
func (s *store) nameToken(ctx context.Context, id, hiddenID, access string) error {
	if id == "" {
		return nil
	}
	return s.exec(ctx, "INSERT OR IGNORE INTO seen_token VALUES (?, ?, ?, ?, '', '', '', '', '')", key(id, hiddenID, access), id, hiddenID, access)
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
	return devices, s.note(false, "Asked Vault for the HMACs of its audit devices: %s.", strings.Join(devices, ", "))
}

// askDevice stores HMACs of one device: names of tokens, and what known texts become.
func (s *store) askDevice(ctx context.Context, client *api.Client, device, leaked string, revoked, texts []string) error {
	const mostHashes = 500 // of revoked tokens, and of texts
	if len(revoked) > mostHashes {
		if err := s.note(false, "Vault was asked for the HMACs of %d of %d revoked tokens.", mostHashes, len(revoked)); err != nil {
			return err
		}
	}
	var failed error
	hash := func(text string) (hmac string) {
		if failed == nil {
			hmac, failed = client.Sys().AuditHashWithContext(ctx, device, text)
		}
		return hmac
	}
	if leaked != "" {
		access := hash(leaked)
		failed = cmp.Or(failed, s.nameToken(ctx, tokenID(leaked), hash(tokenID(leaked)), access))
		for _, value := range []string{access, hash("JWT " + leaked), hash("Bearer " + leaked)} {
			failed = cmp.Or(failed, s.exec(ctx, "INSERT OR REPLACE INTO hmac VALUES (?, 'leaked')", value))
		}
	}
	for _, id := range revoked[:min(len(revoked), mostHashes)] {
		failed = cmp.Or(failed, s.nameToken(ctx, id, hash(id), ""))
	}
	for _, text := range texts[:min(len(texts), mostHashes)] {
		failed = cmp.Or(failed, s.exec(ctx, "INSERT OR IGNORE INTO hmac VALUES (?, ?)", hash(text), text))
	}
	return failed
}
