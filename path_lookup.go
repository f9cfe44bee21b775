// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

const (
	pathLookup = "lookup"

	fieldToken = "token"

	lookupHelpSynopsis    = "Find out which config a token came from, and its present state."
	lookupHelpDescription = `
For a token that may have leaked: returns the config that it was issued for, its
state and expiry, and what to do about it.

    $ vault write mastersindia/lookup token=-

This reads the token from standard input, which keeps it out of the shell
history. If you have only its token_id, give token_id instead. The ledger does
not keep the token itself.
`
)

func (b *backend) lookupPaths() []*framework.Path {
	shown := ledgerFields()
	shown["config"] = textField("The config that the token was issued for.")
	shown["advice"] = textField("What to do about the token if it has leaked.")
	return []*framework.Path{{
		Pattern: pathLookup + "$",
		Fields: map[string]*framework.FieldSchema{
			fieldToken: {
				Type:         framework.TypeString,
				Description:  "The token. A scheme before it (JWT, Bearer), and quotes and whitespace around it are ignored.",
				DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			},
			fieldTokenID: {Type: framework.TypeString, Description: "The token_id instead of the token: 16 hex digits."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.lookupUpdate,
				Summary:  lookupHelpSynopsis,
				Description: "For a token that may have leaked. Takes the token or its token_id, and returns the config that it was " +
					"issued for, its state and expiry, and what to do about it.",
				DisplayAttrs: display("look-up", "token"),
				Responses: responds("The token.", shown,
					failure{http.StatusBadRequest, "not exactly one of token and token_id is given, or token_id is not 16 hex digits"},
					failure{http.StatusNotFound, "the ledger has no such token; the message names the possible reasons"},
					failure{
						http.StatusServiceUnavailable,
						"the plugin has just started and has not loaded its tokens yet, or storage cannot be read",
					}),
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    lookupHelpSynopsis,
		HelpDescription: lookupHelpDescription,
	}}
}

func (b *backend) lookupUpdate(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	token, _ := req.Data[fieldToken].(string)
	tokenID, _ := req.Data[fieldTokenID].(string)
	token, isOne := bareToken(token)
	tokenID = foldTokenID(tokenID)
	switch {
	case token == "" && req.Data[fieldToken] != nil:
		return userError("token: %s; vault write %slookup token=- reads it from standard input", emptyRule, req.MountPoint)
	case tokenID == "" && req.Data[fieldTokenID] != nil:
		return userError("token_id: %s", emptyRule)
	case token == "" && tokenID == "":
		return userError("token: is required, or token_id: vault write %slookup token=- reads it from standard input", req.MountPoint)
	case token != "" && tokenID != "":
		return userError("token, token_id: give exactly one of them")
	case tokenID != "" && !isTokenID(tokenID):
		return userError("token_id: %s; for the token itself, vault write %slookup token=-", tokenIDRule, req.MountPoint)
	case token != "" && !isOne:
		return userError(oneTokenRule)
	case isVaultToken(token):
		return userError("token: is one of Vault, and not of an upstream; to end it: vault token revoke -accessor <accessor>")
	case token != "":
		tokenID = account.TokenID(token)
	}
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	found, err := b.findIssued(ctx, tokenID)
	switch isUnknown := errors.Is(err, ledger.ErrUnknown); {
	case isUnknown && strings.HasPrefix(token, "eyJ") && !strings.Contains(token, "."):
		return userError("token: is a part of a JWT, which has three with a dot between them, or is JSON in base64: give the token")
	case isUnknown && isBase64(token):
		return userError("token: is in base64, as kubectl shows the data of a Secret: base64 -d < FILE | vault write %slookup token=-",
			req.MountPoint)
	case isUnknown && hasMore(token):
		return userError(oneTokenRule)
	case isUnknown:
		return nil, logical.CodedError(http.StatusNotFound, unknownToken(req.MountPoint, tokenID, token))
	}
	if unread, is := errors.AsType[*unreadError](err); is {
		return nil, logical.CodedError(http.StatusServiceUnavailable, fmt.Sprintf(
			"whether token %s was issued through %s is not known yet: %s", tokenID, req.MountPoint, unread))
	}
	damaged, partly := errors.AsType[*stored.DamagedError](err)
	if len(found) == 0 || err != nil && !partly {
		return nil, err
	}
	now := b.clock()
	tokens := make([]issued, len(found))
	for n, f := range found {
		known, unread, err := b.tokensOf(ctx, f.Config)
		if err != nil {
			return loginErrorResponse(req.MountPoint, f.Config, err)
		}
		tokens[n] = seen(f.Config, f.Entry, known, now)
		tokens[n].unread, tokens[n].pending = unread, b.issuer.IsRevoking(f.Config, tokenID)
	}
	// The config whose token is most urgent to deal with comes first.
	slices.SortStableFunc(tokens, func(x, y issued) int { return cmp.Compare(urgency(x.state), urgency(y.state)) })
	data := tokens[0].data()
	data["config"], data["advice"] = tokens[0].config, tokens[0].advice(req.MountPoint, now.Wall)
	resp := &logical.Response{Data: data}
	for _, other := range tokens[1:] {
		resp.AddWarning(fmt.Sprintf("Config %s has received the same token, which is %s there: see vault read %sledger/%s.",
			other.config, other.state, req.MountPoint, other.config))
	}
	if partly {
		resp.AddWarning("Another config may have received the same token: " + damaged.Error() + ".")
	}
	return resp, nil
}

func urgency(state string) int {
	return slices.Index([]string{tokenCurrent, tokenSuperseded, tokenRevoked, tokenExpired}, state)
}

// unknownToken names the reasons why a token may be unknown. A token that was given as such may be cut or the name of its file.
func unknownToken(mount, tokenID, token string) string {
	message := fmt.Sprintf("token %s is unknown: it was not issued through %s of this cluster, its record was lost when Vault was "+
		"restored, or its ledger_retention is over", tokenID, mount)
	if token != "" {
		message += ", or that is not the whole token, which is given from a file as token=@FILE"
	}
	if isTokenID(token) {
		message += "; if that is a token_id, give it as token_id"
	}
	return message
}

// isVaultToken reports whether this is a service, batch or recovery token of Vault.
func isVaultToken(token string) bool {
	return strings.HasPrefix(token, "hvs.") || strings.HasPrefix(token, "hvb.") || strings.HasPrefix(token, "hvr.")
}

// bareToken is the token in a text copied from a header, a log or a file, where editors put a byte order mark. No token contains
// whitespace, or is quoted. isOne is false for what is surely more than one: several lines, many words, JSON, or a
// command that ends in an address.
func bareToken(text string) (token string, isOne bool) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	words := strings.Fields(text)
	if len(words) == 0 {
		return "", false
	}
	token = unquoted(words[len(words)-1])
	return token, isOneLine(text) && len(words) <= 3 && !strings.ContainsAny(token, `"<>{}`) && !strings.Contains(token, "://")
}

// isBase64 reports whether an unknown token is the base64 of a text, which one by chance is not.
func isBase64(token string) bool {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(token, "="))
	return err == nil && len(decoded) > 16 && strings.IndexFunc(strings.TrimSpace(string(decoded)), func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r)
	}) < 0
}

const oneTokenRule = "token: is not one token: give one, in one line, alone or as the value of an Authorization header"

// hasMore reports whether an unknown token has something that none of a Bearer header has (RFC 6750, section 2.1), or ends like a
// sentence: it is probably one with more around it, as in TOKEN=... or (...).
func hasMore(token string) bool {
	const ofToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	token = strings.TrimRight(token, "=")
	return strings.HasSuffix(token, ".") || strings.Trim(token, ofToken) != ""
}

// unquoted is a value without the quotes, and the comma behind them, that it has in JSON or a program.
func unquoted(text string) string { return strings.Trim(text, "\"',") }

// The states of a token that was issued.
const (
	tokenCurrent    = "current"
	tokenSuperseded = "superseded"
	tokenRevoked    = "revoked"
	tokenExpired    = "expired"
)

// issued is a token of the ledger with its present state.
type issued struct {
	ledger.Entry

	config string
	state  string
	// usableUntil is until when the upstream accepts the token, as far as is known.
	usableUntil time.Time
	// account is nil if the config was deleted.
	account *issuer.Account
	// unread is the reason why only the ledger's data is known; nil if more is.
	unread error
	// out is set if revoke/ knows the token, and revocable if it can revoke it upstream. pending is set if the upstream goes on
	// being asked to, under settings that are no longer in force.
	out, revocable, pending bool
	// unsaved is set if storage has not taken a change of the account, such as the token's revocation.
	unsaved bool
	// clockSet is set if the clock was set since, so that usableUntil is the latest of several ends.
	clockSet bool
	// why is why the upstream has not revoked it; "" where that is not known.
	why string
}

// seen combines an entry of the ledger with what the issuer knows of the config's tokens, which is nothing if the config was
// deleted.
func seen(config string, e ledger.Entry, known issuer.Tokens, now account.Reading) issued {
	token, out := known.Out[e.TokenID]
	if out {
		// The ledger may not have the revocation yet, and its times may be outdated: the upstream may have returned the same token
		// again since, or the clock was corrected.
		fresh := ledgerEntry(token.Token)
		e.IssuedAt, e.ExpiresAt = fresh.IssuedAt, token.Token.ExpiresAt.Truncate(time.Second)
		// The current token is not revoked, even if it was before the config was deleted and written again.
		if fresh.Upstream != "" || e.TokenID == known.Current {
			e.RevokedAt, e.Upstream = fresh.RevokedAt, fresh.Upstream
		}
	}
	until, expired := e.ExpiresAt, e.ExpiresAt.Sub(now.Wall) < account.Margin+time.Second // expires too soon to be handed out
	if out {
		until, expired = token.Token.ValidUntil(), token.Token.IsExpired(now)
	}
	t := issued{
		Entry: e, config: config, usableUntil: until, account: known.Account,
		out: out, revocable: token.Revocable, why: token.Why, clockSet: out && !token.Token.IsEndSure(),
	}
	if e.Upstream == string(account.Killed) && e.RevokedAt.Before(until) {
		t.usableUntil = e.RevokedAt
	}
	switch {
	case e.Upstream != "":
		t.state, t.unsaved = tokenRevoked, out && known.Unsaved
	case e.TokenID == known.Current:
		t.state = tokenCurrent
	case expired:
		t.state = tokenExpired
	default:
		t.state = tokenSuperseded
	}
	return t
}

// data is the token in a response.
func (t *issued) data() map[string]any {
	return map[string]any{
		"token_id":     t.TokenID,
		"state":        t.state,
		"issued_at":    timeText(t.IssuedAt),
		"expires_at":   timeText(t.ExpiresAt),
		"usable_until": timeText(t.usableUntil),
		"reason":       t.Reason,
	}
}

// advice is what to do about a leaked token.
func (t *issued) advice(mount string, now time.Time) string {
	if !t.usableUntil.After(now) {
		unless := ""
		if t.Upstream != string(account.Killed) {
			unless = unlessLonger
		}
		return "it is no longer valid" + unless + ": find out how it leaked; for the tokens issued since: vault read " + mount +
			"ledger/" + t.config
	}
	until := timeText(t.usableUntil)
	if t.clockSet {
		until += " at the latest, as the clock was set since"
	}
	revoke := "vault write " + mount + "revoke/" + t.config + " token_id=" + t.TokenID
	switch {
	case t.unread != nil:
		return fmt.Sprintf("it is valid upstream until %s, unless it was revoked, and whether it is handed out is not known: %v; "+
			"to check again, vault read %sstatus/%s", until, t.unread, mount, t.config)
	case t.pending && !t.out:
		return fmt.Sprintf("it is no longer handed out, but may be valid upstream until %s: the engine goes on asking for its "+
			"revocation until another node leads, or the plugin restarts; to see when it has succeeded, run this again", until)
	case t.unsaved && t.account != nil:
		return fmt.Sprintf("it is no longer handed out, but may be valid upstream until %s, and storage has not taken the last change "+
			"of its account: if that was the revocation, a restart of the plugin undoes it: once storage takes writes, %s", until, revoke)
	case t.account == nil && t.state == tokenRevoked:
		return fmt.Sprintf("config %s was deleted: it is no longer handed out, but may be valid upstream until %s, unless the vendor "+
			"revokes it; for the other tokens of the config: vault read %sledger/%s", t.config, until, mount, t.config)
	case t.account == nil:
		return fmt.Sprintf("config %s was deleted, so it cannot be revoked here: it is valid upstream until %s, "+
			"unless the vendor revokes it; for the other tokens of the config: vault read %sledger/%s", t.config, until, mount, t.config)
	case t.state == tokenCurrent:
		return fmt.Sprintf("%s, and it is valid upstream until %s: %s, %s", t.served(), until, t.revoking(), revoke)
	case t.out && t.revocable && t.state == tokenRevoked:
		return fmt.Sprintf("it is no longer handed out, but may be valid upstream until %s%s: "+
			"to try again to revoke it upstream, %s", until, reasonText(t.why), revoke)
	case t.out && t.revocable:
		return fmt.Sprintf("it is no longer handed out, but is valid upstream until %s: to revoke it upstream, %s", until, revoke)
	default:
		return fmt.Sprintf("it is no longer handed out, but is valid upstream until %s, unless the vendor revokes it: "+
			"the engine cannot; for the current token: vault read %sstatus/%s", until, mount, t.config)
	}
}

// unlessLonger goes with each end that is said to be over: an upstream may have told none, or two, or another one since.
const unlessLonger = ", unless the upstream accepts it for longer than is known"

// served says whether the current token is handed out.
func (t *issued) served() string {
	if t.account.Paused {
		return "it is not handed out while the config is paused"
	}
	return "it is being handed out"
}

// revoking says what the revoke command that follows it does.
func (t *issued) revoking() string {
	if t.revocable {
		return "to revoke it upstream"
	}
	return "to stop handing it out, although only the vendor can revoke it upstream"
}
