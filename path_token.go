// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// pathToken is the prefix of the token path, the only path whose reads take parameters.
	pathToken = "token/"

	fieldRole            = "role"
	fieldRejectedTokenID = "rejected_token_id"

	tokenHelpSynopsis    = "Read the token of a role."
	tokenHelpDescription = `
Returns the shared token of the role's config; logs in only if there is none.
The lease ends before the token does and cannot be renewed. If the API expects
an Authorization header, send the value of authorization unchanged.

    $ vault read mastersindia/token/billing

If the API refuses the token, read again with rejected_token_id set to its
token_id, and retry the API request once. Requests that reject the same token
share one login. The engine makes at most one such login every five minutes.
`
)

func (b *backend) tokenPaths() []*framework.Path {
	read := &framework.PathOperation{
		Callback: b.tokenRead,
		Summary:  "Read the token of a role.",
		Description: "Logs in only if there is no usable token. The response has a lease, which ends before the token expires and " +
			"cannot be renewed, unless the role has lease=false.",
		Responses: responds("The token.", map[string]*framework.FieldSchema{
			"access_token":  secretField("The upstream token."),
			"token_type":    textField("JWT or Bearer: the config's authorization_scheme."),
			"authorization": secretField("Ready-made value of an Authorization header."),
			"token_id":      textField("ID of the token: the first 16 hex digits of its SHA-256."),
			"issued_at":     timeField("When the token's life began."),
			"expires_at":    timeField("When the token expires."),
			"expires_in":    numberField("Remaining lifetime in seconds, rounded down."),
			"config":        textField("The config that the token comes from."),
			"client_id": {
				Type:        framework.TypeString,
				Description: "Client ID, which verification APIs require besides the token." + clientIDWords(),
			},
			"metadata": {
				Type:        framework.TypeKVPairs,
				Description: "The metadata of the role, if it has any.",
			},
			"ttl":                 numberField("Seconds until the token is replaced at the latest."),
			"rotation_period":     numberField("Seconds between rotations."),
			"last_vault_rotation": timeField("The same as issued_at, with fractions of a second."),
		}, append(upstreamFailures(), failure{
			http.StatusBadRequest,
			"the role or its config does not exist, the config is paused, or the upstream refuses the credentials",
		})...),
		// Only the active node can register a lease and log in.
		ForwardPerformanceStandby: true,
	}
	return []*framework.Path{{
		Pattern:      pathToken + framework.GenericNameRegex(fieldRole),
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "token"},
		Fields: map[string]*framework.FieldSchema{
			fieldRole: nameField("role"),
			fieldRejectedTokenID: {
				Type: framework.TypeString, Query: true, // of a read
				Description: "token_id of a token that the API has refused. If it is still the current token, it is replaced.",
			},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation:   read,
			logical.UpdateOperation: tokenUpdate(read),
		},
		HelpSynopsis:    tokenHelpSynopsis,
		HelpDescription: tokenHelpDescription,
	}}
}

// clientIDWords names the protocols whose response has the client ID.
func clientIDWords() string {
	var names []string
	for _, spec := range upstream.Specs() {
		if spec.ClientIDWithToken {
			names = append(names, string(spec.Protocol))
		}
	}
	return " Only for protocol " + inWords(names, "and") + "."
}

// tokenUpdate is the read under a different name in OpenAPI, for clients that can send parameters only in a body.
func tokenUpdate(read *framework.PathOperation) *framework.PathOperation {
	update := *read
	update.DisplayAttrs = display("generate", "token")
	update.Description = "Same as a read, for clients that can send rejected_token_id only in the body."
	return &update
}

func (b *backend) tokenRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldRole).(string) //nolint:forcetypeassert // captured from the path
	value, given := req.Data[fieldRejectedTokenID]
	rejected, _ := value.(string)
	rejected = foldTokenID(rejected)
	if rejected != "" && !isTokenID(rejected) {
		return userError("rejected_token_id: %s", tokenIDRule)
	}
	ctx, cancel := context.WithTimeout(ctx, issuer.ReadWait)
	defer cancel()
	r, err := b.roles.get(ctx, name, b.store.role)
	if r == nil && err == nil {
		var resp *logical.Response
		if resp, err = b.roleNotFound(ctx, req, name); err == nil {
			return resp, nil
		}
	}
	if err != nil {
		return nil, err
	}
	served, err := b.readAccount(ctx, r.Config, rejected)
	if err != nil {
		return loginErrorResponse(req.MountPoint, r.Config, err)
	}
	resp := b.tokenResponse(name, r, served)
	if given && rejected == "" { // most likely an unset variable; a reader gets the token all the same
		resp.AddWarning("rejected_token_id is empty, so no token was replaced: give the token_id of the token that the API has " +
			"refused.")
	}
	if rejected == served.Token.ID {
		if s, known := b.issuer.Known(r.Config); known && s.Token != nil && s.Token.ID == rejected {
			resp.AddWarning(keptWarning(req.MountPoint, r.Config, s, b.clock().Wall))
		}
	}
	return resp, nil
}

// keptWarning says why a token that an API has refused is not replaced, until when, and what to do. Without it the refusals look
// like a fault of the API.
func keptWarning(mount, config string, s issuer.Status, now time.Time) string {
	kept := "Token " + s.Token.ID + " was rejected and is kept: "
	switch {
	case s.Held:
		return kept + failureMessage(mount, config, &issuer.LoginError{Failure: *s.Failure, Remembered: true}, "")
	case s.RejectedFrom.After(now) && s.Token.Repeated():
		return kept + "the upstream repeats it, and gives no other until it expires at " + timeText(s.Token.ExpiresAt) +
			": ask the vendor to end its session."
	case s.RejectedFrom.After(now):
		return fmt.Sprintf("%sa rejected token is replaced when it is a minute old, and at most every five minutes: this one is from "+
			"%s on. To replace it now: vault write -f %srotate/%s. If new tokens are rejected too, check how they are sent (token_use in "+
			"vault read %sstatus/%s), and what the account may do.", kept, timeText(roundUp(s.RejectedFrom)), mount, config, mount, config)
	default:
		return kept + "its replacement is not there yet: try again; to see what holds it up: vault read " + mount + "status/" + config
	}
}

// tokenResponse is the response to a read of the role, with a lease unless the role is without.
func (b *backend) tokenResponse(name string, r *role, a issuer.Result) *logical.Response {
	data := tokenData(a)
	if len(r.Metadata) > 0 {
		data["metadata"] = r.Metadata // never changed: an update makes a new role
	}
	if !r.Lease {
		return &logical.Response{Data: data}
	}
	resp := b.Secret(secretTokenType).Response(data, nil)
	internal := resp.Secret.InternalData
	internal["schema"], internal["config"], internal["role"], internal["token_id"] = leaseSchema, r.Config, name, a.Token.ID
	ttl := leaseTTL(a.Remaining, seconds(r.MaxTTL), b.maxLease.get(b.System(), a.Now))
	resp.Secret.TTL, resp.Secret.MaxTTL = ttl, ttl
	return resp
}

func (b *backend) readAccount(ctx context.Context, config, rejected string) (issuer.Result, error) {
	if rejected != "" {
		return b.issuer.ReadRejected(ctx, config, rejected)
	}
	return b.issuer.Read(ctx, config)
}

// tokenIDRule explains what is expected, since callers may give the token itself instead.
const tokenIDRule = "must be the token_id that came with the token: 16 hex digits"

// foldTokenID accepts an ID with capitals, or with whitespace or quotes around it.
func foldTokenID(text string) string { return strings.ToLower(unquoted(strings.TrimSpace(text))) }

func isTokenID(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == len(account.TokenID(""))
}

// tokenData is the response to a read. It holds no time.Duration, which Vault would show in nanoseconds.
func tokenData(a issuer.Result) map[string]any {
	data := maps.Clone(cachedData(a))
	data["expires_in"] = int64(a.Remaining / time.Second)
	data["ttl"] = wholeTTL(a)
	return data
}

// wholeTTL is the time until the rotation in whole seconds, rounded up: a client that comes back a fraction of a second too early
// would get the same token. It never passes the token's end.
func wholeTTL(a issuer.Result) int64 {
	return min(int64((a.TTL+time.Second-1)/time.Second), int64(a.Remaining/time.Second))
}

// cachedData is the part of the response that stays the same as long as the token does. It is built once, since it is most of the
// cost of a read, and must not be modified.
func cachedData(a issuer.Result) map[string]any {
	if made, ok := a.Prepared.Load().(map[string]any); ok {
		return made
	}
	data := map[string]any{
		"access_token":        a.Token.Access,
		"token_type":          a.Account.AuthorizationScheme,
		"authorization":       a.Account.AuthorizationScheme + " " + a.Token.Access,
		"token_id":            a.Token.ID,
		"issued_at":           a.Token.IssuedAt.Format(time.RFC3339),
		"expires_at":          a.Token.ExpiresAt.Format(time.RFC3339),
		"expires_in":          nil, // set for each read
		"config":              a.Account.Name,
		"ttl":                 nil,
		"rotation_period":     max(int64(a.RotationPeriod/time.Second), 1),
		"last_vault_rotation": a.Token.IssuedAt.Format(time.RFC3339Nano),
	}
	if specOf(string(a.Account.Upstream.Protocol)).ClientIDWithToken {
		data["client_id"] = a.Account.Upstream.ClientID
	}
	a.Prepared.Store(data)
	return data
}
