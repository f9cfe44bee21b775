// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/stored"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	statusHelpSynopsis    = "Read the health of a config's account."
	statusHelpDescription = `
Says how an account is doing, what is wrong with it, and what to type. Never
logs in and shows no secret.

    $ vault read mastersindia/status/gst
    $ vault list -detailed mastersindia/status

The state is one of these:

  * "idle" - there is no token: none was read yet, or the last one may be dead

  * "ready" - a token is there

  * "backing_off" - the upstream is down, throttles, or answers what cannot be
    understood; the next login is tried at next_attempt_at

  * "rejected" - the upstream refuses the credentials, or the request as
    malformed; somebody must correct the config

  * "paused" - somebody has set paused=true on the config
`
	statusListHelpSynopsis    = "List the health of all accounts."
	statusListHelpDescription = `
List the configs. The details of a name are its state, what is wrong and what to
type, until when its token lives, and when the next login may be tried.

    $ vault list -detailed mastersindia/status
`
)

func (b *backend) statusPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern: "status/" + framework.GenericNameRegex(fieldName),
			Fields:  map[string]*framework.FieldSchema{fieldName: nameField("config")},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback:     b.statusRead,
					Summary:      statusHelpSynopsis,
					Description:  "Says what is wrong and what to type. Never logs in, and shows no secret.",
					DisplayAttrs: display("read", "status"),
					Responses: responds("The health of the account.", statusFields(),
						nameNotFound(), storageFailure()),
					ForwardPerformanceStandby: true,
				},
			},
			HelpSynopsis:    statusHelpSynopsis,
			HelpDescription: statusHelpDescription,
		},
		{
			Pattern:      "status/?$",
			DisplayAttrs: display("list", "statuses"),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ListOperation: &framework.PathOperation{
					Callback: b.statusList, Summary: statusListHelpSynopsis, Description: listDescription,
					Responses:                 respondsList("configs", "state", "message", "expires_at", "next_attempt_at"),
					ForwardPerformanceStandby: true,
				},
			},
			HelpSynopsis:    statusListHelpSynopsis,
			HelpDescription: statusListHelpDescription,
		},
	}
}

func statusFields() map[string]*framework.FieldSchema {
	const none = "where there is none"
	kinds := []any{
		"", string(upstream.Rejected), string(upstream.Invalid), string(upstream.Throttled), string(upstream.Unavailable),
		string(upstream.Malformed), string(account.Blocked),
	}
	return map[string]*framework.FieldSchema{
		"state": textField("How the account is doing: see the description of status/.",
			string(account.StateIdle), string(account.StateReady), string(account.StateBackingOff), string(account.StateRejected),
			string(account.StatePaused)),
		"message":                textField("One sentence: what is wrong, and the command to type."),
		"token_id":               textField("Names the current token; empty where there is none."),
		"issued_at":              maybeTimeField("When the current token's life began.", none),
		"expires_at":             maybeTimeField("When the current token dies.", none),
		"rotates_at":             maybeTimeField("When the current token is to be replaced.", none),
		"in_use":                 boolField("Whether the current token was read since it was issued: it will be replaced in time."),
		"last_read_at":           maybeTimeField("The last read since the account was taken up.", none),
		"last_login_at":          maybeTimeField("The last login since the account was taken up.", none),
		"last_error":             textField("Why the last login failed; empty where it did not."),
		"last_error_kind":        textField("What kind of failure that was; empty where it did not fail.", kinds...),
		"consecutive_failures":   numberField("Failed logins since the last one that succeeded."),
		"next_attempt_at":        maybeTimeField("When a login may be tried again.", "outside a pause"),
		"clock_skew_seconds":     numberField("The upstream's clock minus ours in seconds, as of the last login."),
		"can_revoke_upstream":    boolField("Whether revoke/ can kill a token before its time."),
		"credentials_updated_at": maybeTimeField("When a user name, id or secret was last changed.", "where that is not known"),
		"token_use":              textField("How an application sends the token, by the vendor's pages."),
		"logins":                 numberField("Logins since this process started."),
		"login_failures":         numberField("Failed logins since this process started."),
		"reads":                  numberField("Reads since this process started."),
	}
}

func (b *backend) statusRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	status, err := b.issuer.Status(ctx, name)
	if errors.Is(err, issuer.ErrNoAccount) {
		return nil, nil //nolint:nilnil // 404
	}
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	return &logical.Response{Data: statusData(req.MountPoint, name, status, b.clock().Wall)}, nil
}

func (b *backend) statusList(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	names, err := b.store.list(ctx, configPrefix)
	if err != nil {
		return nil, err
	}
	found, damaged := make([]*issuer.Status, len(names)), make([]error, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostListReads)
	for n, name := range names {
		if status, known := b.issuer.Known(name); known {
			found[n] = &status
			continue
		}
		group.Go(func() (err error) {
			found[n], err = b.statusAtRest(ctx, name, n < mostListDetails || b.issuer.InMemory(name))
			if stored.IsDamaged(err) {
				found[n], damaged[n] = nil, err
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	info := make(map[string]any, len(names))
	for n, name := range names {
		if found[n] != nil {
			info[name] = statusSummary(req.MountPoint, name, *found[n], b.clock().Wall)
		}
	}
	return listResponse(names, info, damaged...), nil
}

// statusAtRest is the status of an account that is not in memory; nil where it was deleted meanwhile. Such an account is idle or
// paused, unless the engine has only just started, or another node has written the config: so the first ones, and those that are
// to be read again, are looked up whole, and of the rest only the config.
func (b *backend) statusAtRest(ctx context.Context, name string, whole bool) (*issuer.Status, error) {
	if whole {
		status, err := b.issuer.Status(ctx, name)
		if errors.Is(err, issuer.ErrNoAccount) {
			return nil, nil //nolint:nilnil // see above
		}
		return &status, err
	}
	c, err := b.store.config(ctx, name)
	if err != nil || c == nil {
		return nil, err
	}
	status := &issuer.Status{State: account.StateIdle, Account: c.account(name)}
	if c.Paused {
		status.State = account.StatePaused
	}
	return status, nil
}

// statusSummary is what a list says of an account.
func statusSummary(mount, name string, s issuer.Status, now time.Time) map[string]any {
	all := statusData(mount, name, s, now)
	summary := make(map[string]any)
	for _, field := range []string{"state", "message", "expires_at", "next_attempt_at"} {
		summary[field] = all[field]
	}
	return summary
}

func statusData(mount, name string, s issuer.Status, now time.Time) map[string]any {
	data := map[string]any{
		"state": string(s.State), "message": statusMessage(mount, name, s, now),
		"token_id": "", "issued_at": "", "expires_at": "", "rotates_at": "", "in_use": s.InUse,
		"last_read_at": timeText(s.LastRead), "last_login_at": timeText(s.LastLogin),
		"last_error": "", "last_error_kind": "", "consecutive_failures": 0, "next_attempt_at": "",
		"clock_skew_seconds":     int64(s.ClockSkew.Round(time.Second) / time.Second),
		"can_revoke_upstream":    canRevokeUpstream(s.Account),
		"credentials_updated_at": timeText(s.Account.CredentialsUpdatedAt),
		"token_use":              tokenUse(&s.Account.Upstream),
		"logins":                 s.Logins, "login_failures": s.Failures, "reads": s.Read,
	}
	if s.Token != nil {
		data["token_id"], data["issued_at"] = s.Token.ID, timeText(s.Token.IssuedAt)
		data["expires_at"], data["rotates_at"] = timeText(s.Token.ExpiresAt), timeText(s.RotatesAt)
	}
	if f := s.Failure; f != nil {
		data["last_error"], data["last_error_kind"] = f.Message, string(f.Kind)
		data["consecutive_failures"] = f.Consecutive
		if s.Held {
			data["next_attempt_at"] = timeText(f.NextAttempt)
		}
	}
	return data
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// statusMessage is one sentence: what is wrong, and the command to type.
func statusMessage(mount, name string, s issuer.Status, now time.Time) string {
	switch s.State {
	case account.StatePaused:
		return fmt.Sprintf("paused%s: no login and no token; to resume: vault write %sconfig/%s paused=false",
			reasonText(s.Account.PauseReason), mount, name)
	case account.StateRejected, account.StateBackingOff:
		served := "reads fail"
		if s.Token != nil {
			served = "reads are served from the token that lives until " + timeText(s.Token.ExpiresAt)
		}
		next := "with the next read"
		switch {
		case !s.InFlightSince.IsZero():
			next = "in flight since " + timeText(s.InFlightSince)
		case s.Token != nil && s.RotatesAt.After(s.Failure.NextAttempt):
			next = "when that one is to be replaced, " + when(s.RotatesAt) // not to be taken for next_attempt_at
		case s.Failure.NextAttempt.After(now):
			next = when(s.Failure.NextAttempt)
		}
		return fmt.Sprintf("%s; %s; next attempt %s; %s", s.Failure.Message, served, next, remedy(mount, name, s.Failure))
	case account.StateReady:
		return "a token is ready: to read it, vault read " + mount + "token/<role>"
	default:
		switch {
		case !s.InFlightSince.IsZero():
			return fmt.Sprintf("no token yet: a login is in flight since %s; to see how it went, vault read %sstatus/%s",
				timeText(s.InFlightSince), mount, name)
		case s.Suspect:
			return "no token: a login whose result is not known may have killed the last one; the next read of " + mount +
				"token/<role> logs in"
		}
		return "no token, since nobody has read one: the next read of " + mount + "token/<role> logs in"
	}
}
