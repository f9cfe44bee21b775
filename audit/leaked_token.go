// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// tokenPattern is a token, alone or of an Authorization header. Editors put a byte order mark before it, and jq quotes around it.
// A word with = or : behind it is a name or a scheme.
var tokenPattern = regexp.MustCompile(`^\x{feff}?\s*"?(?:(?i:authorization:)\s*)?(?:[A-Za-z0-9_-]{1,20}[ \t]+)?` +
	`(\w*(?:=*|[!#-/;<>-@\[-^\x60{-~][!#-~]*))"?\s*$`)

// leakedToken reads the leaked token, or none. What is not clearly one is an error, since a search for it would find nobody.
func leakedToken(ctx context.Context, o options, stdin io.Reader) (string, error) {
	if o.tokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.tokenFile)
	if o.tokenFile == "-" {
		text, err = io.ReadAll(readUntil(ctx, stdin))
	}
	found := tokenPattern.FindStringSubmatch(string(text))
	decoded, _ := base64.RawStdEncoding.DecodeString(strings.Trim(string(text), "\ufeff\"'= \t\r\n"))
	switch {
	case err != nil:
		return "", err
	case vendorPattern.Match(decoded) || vaultPattern.Match(decoded):
		return "", errors.New("this is in base64, as kubectl shows a Secret: give what base64 -d < FILE prints")
	case found == nil || strings.ContainsAny(found[1], "<>()[]{}\\%,;:'`") || strings.HasSuffix(found[1], "."):
		return "", errors.New("this is not one token: give one, alone in plain text or as the value of an Authorization header")
	case len(found[1]) <= 16: // no vendor's token is as short
		return "", errors.New("this is empty, a token_id or part of a token: give all of it, or find its token_id in the report")
	case strings.HasPrefix(found[1], "eyJ") && strings.Count(found[1], ".") < 2:
		return "", errors.New("this is only the beginning of a JWT, which has three parts with a dot between them: give all of it")
	case strings.HasPrefix(found[1], cmp.Or(vaultPattern.FindString(found[1]), " ")):
		return "", errors.New("this is a token of Vault and not one of an upstream: vault token lookup tells its accessor")
	}
	return found[1], nil
}

// vaultIsGiven reports whether the environment tells which Vault to ask, and with which Vault token.
func vaultIsGiven() bool { return os.Getenv("VAULT_ADDR") != "" && os.Getenv("VAULT_TOKEN") != "" }

// issuedAt is when a JWT says that it was issued, in seconds since 1970, or 0: iat (RFC 7519), or orig_iat, which vendors write.
func issuedAt(token string) float64 {
	var claims map[string]any
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(token+".", ".")[1])
	_ = json.Unmarshal(text, &claims) // what is no JWT has no claims
	at, _ := cmp.Or(claims["iat"], claims["orig_iat"]).(float64)
	if at < 1e9 || at > 1e11 { // some are milliseconds
		return 0
	}
	return at
}

// askVault has Vault's audit devices hash the leaked token and the texts of the view to_hash.
func (s *store) askVault(ctx context.Context, o options) error {
	if o.leaked == "" && len(o.devices) == 0 {
		return nil
	}
	if !vaultIsGiven() {
		return s.note(false, "Vault was not asked for HMACs: VAULT_ADDR and VAULT_TOKEN are not both set. "+
			"Only token_ids that the log shows could be compared.")
	}
	client, err := api.NewClient(nil)
	if err != nil {
		return err
	}
	client.ClearNamespace()                                              // that of the user's shell has no audit devices
	client.SetWrappingLookupFunc(func(_, _ string) string { return "" }) // whatever VAULT_WRAP_TTL says
	client.SetMaxRetries(1)
	client.SetClientTimeout(15 * time.Second)
	devices, err := s.devices(ctx, client, o.devices)
	if err != nil {
		return err
	}
	var texts [][2]string // kind and text
	if o.leaked != "" {
		for form := range strings.SplitSeq(`%s|JWT %s|Bearer %s|Authorization: JWT %s|Authorization: Bearer %s|"%s"`, "|") {
			for _, end := range []string{"", "\n", "\r\n"} {
				texts = append(texts, [2]string{"leaked", fmt.Sprintf(form, o.leaked) + end})
			}
		}
	}
	if err := s.query(ctx, "SELECT kind, text FROM to_hash ORDER BY 1, 2", func(_ []string, values []*any) error {
		texts = append(texts, [2]string{text(values[0]), text(values[1])})
		return nil
	}); err != nil {
		return err
	}
	for _, device := range devices {
		for _, text := range texts {
			hash, err := client.Sys().AuditHashWithContext(ctx, device, text[1])
			if err != nil {
				return fmt.Errorf("asking Vault for the hash of audit device %s: %w; check -audit-device (vault audit list) and that the "+
					"Vault token may update sys/audit-hash/%s, or unset VAULT_ADDR to compare token_ids alone", device, err, device)
			}
			if text[0] == "leaked" {
				text[1] = "" // nothing secret is in the database
			}
			if err := s.insert("hmac", text[0], text[1], hash); err != nil {
				return err
			}
		}
	}
	return nil
}

// devices are the audit devices to ask: those given, else those that Vault lists.
func (s *store) devices(ctx context.Context, client *api.Client, devices []string) ([]string, error) {
	if len(devices) > 0 {
		return devices, nil
	}
	listed, err := client.Sys().ListAuditWithContext(ctx)
	if err != nil || len(listed) == 0 {
		return nil, fmt.Errorf("asking Vault at %s for its audit devices gives none: %w; the Vault token needs read and sudo on "+
			"sys/audit, or name the devices with -audit-device, or unset VAULT_ADDR to compare token_ids alone", client.Address(),
			cmp.Or(err, errors.New("none is enabled")))
	}
	for name, device := range listed {
		devices = append(devices, strings.TrimSuffix(name, "/"))
		if device.Options["filter"]+device.Options["exclude"]+device.Options["fallback"] != "" {
			err = cmp.Or(err, s.note(true, "The audit device "+name+" has a filter, excludes fields or is a fallback: what it "+
				"leaves out is not known. If these are the files of another one, name that with -audit-device."))
		}
	}
	slices.Sort(devices)
	return devices, cmp.Or(err, s.note(false, "Asked Vault for the HMACs of its audit devices: "+strings.Join(devices, ", ")+"."))
}
