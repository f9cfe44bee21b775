// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
)

const (
	pathRevoke   = "revoke/"
	fieldTokenID = "token_id"

	revokeHelpSynopsis    = "Revoke the tokens of a config, upstream as well where possible."
	revokeHelpDescription = `
Revokes every unexpired token of the config, including replaced ones, or only
the token with the given token_id.

    $ vault write -f mastersindia/revoke/gst

Over HTTP, send token_id in the body: Vault drops the query of a POST, and
without token_id everything is revoked.

With protocol jwt and a refresh_url, the token is revoked upstream. Otherwise it
is no longer handed out, but stays valid upstream until it expires. The next
read logs in again, unless the config has paused=true. Revoking leases does not
revoke a token, because other readers share it.
`
)

func (b *backend) revokePaths() []*framework.Path {
	return []*framework.Path{{
		Pattern: pathRevoke + framework.GenericNameRegex(fieldName),
		Fields: map[string]*framework.FieldSchema{
			fieldName: nameField("config"),
			fieldTokenID: {
				Type:        framework.TypeString,
				Description: "Revoke only the token with this ID, 16 hex digits. If omitted, all unexpired tokens are revoked.",
			},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.revokeUpdate,
				Summary:  revokeHelpSynopsis,
				Description: "Revokes every unexpired token of the config, or the one with the given token_id. Returns 200 whatever the " +
					"outcome upstream, with a warning for each token that may still be valid. The next read logs in again.",
				DisplayAttrs: display("revoke", "tokens"),
				Responses: responds("The outcome for each token.", map[string]*framework.FieldSchema{
					"tokens": {
						Type: framework.TypeMap, Required: true,
						Description: "By token_id: upstream (killed, refused, unknown or unsupported) and valid_until.",
					},
				}, failure{
					http.StatusBadRequest,
					"the config does not exist, or token_id is not 16 hex digits",
				}),
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    revokeHelpSynopsis,
		HelpDescription: revokeHelpDescription,
	}}
}

func (b *backend) revokeUpdate(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	tokenID, given := req.Data[fieldTokenID].(string)
	tokenID = foldTokenID(tokenID)
	switch {
	case given && tokenID == "": // an unset shell variable must not revoke all tokens
		return userError("token_id: is empty: give the ID of the token, or leave it out to revoke all tokens of the config")
	case given && !isTokenID(tokenID):
		return userError("token_id: %s; to find the ID of a token: vault write %slookup token=-", tokenIDRule, req.MountPoint)
	}
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	revoked, err := b.issuer.Revoke(ctx, name, tokenID)
	advice, cancel := context.WithTimeout(ctx, adviceWait)
	defer cancel()
	if errors.Is(err, issuer.ErrNoAccount) {
		return b.configNotFound(ctx, req.MountPoint, pathRevoke, name, tokenIDParameter(tokenID))
	}
	if errors.Is(err, issuer.ErrNoToken) {
		resp := &logical.Response{Data: map[string]any{"tokens": map[string]any{}}}
		where, isOwn := b.whereIssued(advice, req.MountPoint, name, tokenID)
		resp.AddWarning(fmt.Sprintf("Config %s has no unexpired token of that ID: nothing was revoked. %s", name, where))
		if isOwn {
			b.warnOfSharedTokens(advice, resp, req.MountPoint, name, []issuer.Revocation{{TokenID: tokenID}})
		}
		return resp, nil
	}
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	tokens := revocations(revoked)
	resp := &logical.Response{Data: map[string]any{"tokens": tokens}}
	if slices.ContainsFunc(revoked, func(r issuer.Revocation) bool { return !r.Stored }) {
		resp.AddWarning("Vault's storage has not responded yet: the tokens are no longer handed out, but a restart of the plugin " +
			"would restore them. Run the command again.")
	}
	for _, r := range revoked {
		if warning := revocationWarning(req.MountPoint, r); warning != "" {
			resp.AddWarning(warning)
		}
	}
	if tokenID == "" {
		b.warnOfTokensFromBefore(advice, resp, req.MountPoint, name, tokens)
	}
	b.warnOfSharedTokens(advice, resp, req.MountPoint, name, revoked)
	if s, known := b.issuer.Known(name); known && s.Token == nil && s.Failure != nil {
		resp.AddWarning("No token is left to serve: " + statusMessage(req.MountPoint, name, s, b.clock().Wall))
	}
	return resp, nil
}

// warnOfSharedTokens warns of tokens that the upstream gave to other configs as well, which still have them.
func (b *backend) warnOfSharedTokens(
	ctx context.Context, resp *logical.Response, mount, name string, revoked []issuer.Revocation,
) {
	for n, r := range slices.Backward(revoked) {
		found, _ := b.findIssued(ctx, r.TokenID) // without the ledger nothing is known of others
		if ctx.Err() != nil {
			resp.AddWarning(fmt.Sprintf("Vault's storage is slow: for %d of these tokens it is not known whether other configs hand them "+
				"out, too. To check one: vault write %slookup token_id=...", n+1, mount))
			return
		}
		for _, f := range found {
			if f.Config == name {
				continue
			}
			known, err := b.issuer.Tokens(ctx, f.Config)
			token, has := known.Out[r.TokenID]
			if err != nil || !has {
				continue
			}
			if outcome, _ := token.Token.Revocation(); outcome == "" {
				resp.AddWarning(fmt.Sprintf("Config %s was given the same token %s, which is not revoked there: vault write %srevoke/%s "+
					"token_id=%s", f.Config, r.TokenID, mount, f.Config, r.TokenID))
			}
		}
	}
}

// warnOfTokensFromBefore warns of unexpired tokens of the config that the ledger has, and its account does not know any more.
func (b *backend) warnOfTokensFromBefore(
	ctx context.Context, resp *logical.Response, mount, name string, revoked map[string]any,
) {
	issued, _, _ := b.listIssued(ctx, name) // without the ledger nothing is known of others
	now := b.clock().Wall
	var ends []time.Time
	for _, e := range issued {
		_, is := revoked[e.TokenID]
		if is || e.Upstream == string(account.Killed) || !e.ExpiresAt.After(now) || b.issuer.IsRevoking(name, e.TokenID) {
			continue
		}
		ends = append(ends, e.ExpiresAt)
	}
	if len(ends) > 0 {
		resp.AddWarning(fmt.Sprintf("More tokens of config %s may be valid upstream (%d, the last until %s): they are from before the "+
			"config was deleted and written again, or its tokens given a shorter lifetime. Only the vendor can revoke them: vault read "+
			"%sledger/%s", name, len(ends), timeText(slices.MaxFunc(ends, time.Time.Compare)), mount, name))
	}
}

// whereIssued says what the ledger knows of a token that is none of the config's unexpired ones. isOwn says that it was one.
func (b *backend) whereIssued(ctx context.Context, mount, name, tokenID string) (where string, isOwn bool) {
	found, _ := b.findIssued(ctx, tokenID) // without the ledger the status is what there is to advise
	now, expired := b.clock().Wall, ""
	for _, f := range found {
		switch {
		case f.Config == name && f.Upstream == string(account.Killed):
			return "It was revoked upstream at " + timeText(f.RevokedAt) + ".", true
		case f.Config == name && f.ExpiresAt.After(now) && b.issuer.IsRevoking(name, tokenID):
			return fmt.Sprintf("It is no longer handed out, and the upstream is still being asked to revoke it: "+
				"vault write -field=advice %slookup token_id=%s", mount, tokenID), true
		case f.Config == name && f.ExpiresAt.After(now):
			return fmt.Sprintf("It is from before the config was deleted and written again, its token lifetime was shortened, or "+
				"the record of its tokens was replaced, and is valid upstream until %s, unless the vendor revokes it: the engine cannot.",
				timeText(f.ExpiresAt)), true
		case f.Config == name:
			return "It expired at " + timeText(f.ExpiresAt) + unlessLonger + ".", true
		case !f.ExpiresAt.After(now):
			expired = fmt.Sprintf("It was issued for config %s, and has expired.", f.Config) // so far: another may have it still
		default:
			if c, err := b.store.config(ctx, f.Config); c == nil && err == nil {
				return fmt.Sprintf("It was issued for config %s, which was deleted: vault write %slookup token_id=%s",
					f.Config, mount, tokenID), false
			}
			return fmt.Sprintf("It was issued for config %s: vault write %srevoke/%s token_id=%s",
				f.Config, mount, f.Config, tokenID), false
		}
	}
	return cmp.Or(expired, fmt.Sprintf("See vault read %sstatus/%s.", mount, name)), false
}

// tokenIDParameter stands for a token_id in a command, since messages repeat no value. It is "" for none.
func tokenIDParameter(tokenID string) string {
	if tokenID == "" {
		return ""
	}
	return "token_id=<token_id>"
}

func revocations(revoked []issuer.Revocation) map[string]any {
	tokens := make(map[string]any, len(revoked))
	for _, r := range revoked {
		tokens[r.TokenID] = map[string]any{
			"upstream":    string(r.Upstream),
			"valid_until": r.ValidUntil.Format(time.RFC3339),
		}
	}
	return tokens
}

// revocationWarning says that a token may still be valid, and why; it is empty for one that was revoked upstream.
func revocationWarning(mount string, r issuer.Revocation) string {
	why := ""
	switch r.Upstream {
	case account.Killed:
		return ""
	case account.Unsupported:
		why = "it cannot be revoked upstream"
	case account.Refused:
		why = "the upstream refused to exchange its refresh token, as it does for a token that is already invalid, or if " +
			"refresh_url, headers or refresh_headers are wrong" + reasonText(r.Why)
	case account.Unknown:
		why = "the upstream has not confirmed the revocation" + reasonText(r.Why) + ", and will be asked again; to see the result: " +
			"vault write -field=advice " + mount + "lookup token_id=" + r.TokenID
	}
	return fmt.Sprintf("Token %s is no longer handed out, but may be valid upstream until %s: %s.",
		r.TokenID, r.ValidUntil.Format(time.RFC3339), why)
}
