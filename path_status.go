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

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// mostStatusReads bounds the accounts that a list loads completely.
	mostStatusReads = 256

	statusHelpSynopsis    = "Read the health of an account."
	statusHelpDescription = `
Returns the state of an account, any problem, and the command to fix it. Never
logs in.

    $ vault read mastersindia/status/gst
    $ vault list -detailed mastersindia/status

The state is one of these:

  * "idle" - there is no token: none was read, or the last one may be invalid

  * "ready" - there is a token

  * "backing_off" - the upstream is down, throttles logins, or sends responses
    that cannot be understood

  * "rejected" - the upstream refuses the credentials, or the request as
    malformed: correct the config

  * "paused" - the config has paused=true
`
	statusListHelpSynopsis    = "List the health of all accounts."
	statusListHelpDescription = `
List the configs. key_info has the state of each, any problem with the command
to fix it, the expiry of its token, and when the next login may be made.

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
					Callback: b.statusRead, Summary: statusHelpSynopsis,
					Description: "Returns any problem with the account and the command to fix it. Never logs in, and returns no " +
						"secret.",
					DisplayAttrs:              display("read", "status"),
					Responses:                 responds("The health of the account.", statusFields(), nameNotFound()),
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
	const none = "if there is none"
	kinds := []any{
		"", string(upstream.Rejected), string(upstream.Invalid), string(upstream.Throttled), string(upstream.Unavailable),
		string(upstream.Malformed), string(account.Blocked),
	}
	return map[string]*framework.FieldSchema{
		"state": textField("State of the account, see the description of status/.",
			string(account.StateIdle), string(account.StateReady), string(account.StateBackingOff), string(account.StateRejected),
			string(account.StatePaused)),
		"message":                textField("One sentence: any problem, and the command to run."),
		"token_id":               textField("ID of the current token; empty if there is none."),
		"issued_at":              maybeTimeField("When the current token's life began.", none),
		"expires_at":             maybeTimeField("When the current token expires.", none),
		"rotates_at":             maybeTimeField("When the current token will be replaced.", none),
		"in_use":                 boolField("Whether the current token was read: only then is it rotated in time."),
		"last_read_at":           maybeTimeField("Last read since the account was loaded.", none),
		"last_login_at":          maybeTimeField("Last login since the account was loaded.", none),
		"last_error":             textField("Why the last login failed; empty if it succeeded."),
		"last_error_kind":        textField("Kind of that failure; empty if the login succeeded.", kinds...),
		"consecutive_failures":   numberField("Failed logins since the last successful one."),
		"next_attempt_at":        maybeTimeField("When the next login may be made.", "unless logins back off"),
		"clock_skew_seconds":     numberField("Upstream clock minus Vault's clock, in seconds, at the last login."),
		"can_revoke_upstream":    boolField("Whether revoke/ can revoke the current token upstream, or the next one."),
		"credentials_updated_at": maybeTimeField("When a user name, ID or secret was last changed.", "if unknown"),
		"token_use":              textField("How an application sends the token, according to the vendor."),
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
		return wrongKind(b.roleNotConfig(ctx, req, name))
	}
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	return &logical.Response{Data: b.statusData(req.MountPoint, name, status, b.clock().Wall)}, nil
}

func (b *backend) statusList(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	names, err := b.store.list(ctx, configPrefix)
	if err != nil {
		return nil, err
	}
	notYet, restored := b.issuer.Unread()
	isTakenUp := restored && len(notYet) == 0
	return b.listEntries(names, func(n int, name string) (map[string]any, error) {
		status, err := b.statusInList(ctx, name, !isTakenUp || n < mostStatusReads)
		if status == nil || err != nil {
			return nil, err
		}
		return b.statusSummary(req.MountPoint, name, *status, b.clock().Wall), nil
	})
}

// statusInList is the status of an account; nil if it was deleted meanwhile. One that is not in memory is idle or paused, unless
// another node has written the config, or the engine has just started and has yet to read it: so the first ones, those that are
// to be read again, and all until the engine has read them, are loaded completely; of the rest only the config is.
func (b *backend) statusInList(ctx context.Context, name string, whole bool) (*issuer.Status, error) {
	if status, known := b.issuer.Known(name); known {
		return &status, nil
	}
	if whole || b.issuer.InMemory(name) {
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

// statusSummary is an account in a list.
func (b *backend) statusSummary(mount, name string, s issuer.Status, now time.Time) map[string]any {
	all := b.statusData(mount, name, s, now)
	summary := make(map[string]any)
	for _, field := range []string{"state", "message", "expires_at", "next_attempt_at"} {
		summary[field] = all[field]
	}
	return summary
}

func (b *backend) statusData(mount, name string, s issuer.Status, now time.Time) map[string]any {
	data := map[string]any{
		"state": string(s.State), "message": statusMessage(mount, name, s, now),
		"token_id": "", "issued_at": "", "expires_at": "", "rotates_at": "", "in_use": s.InUse,
		"last_read_at": timeText(s.LastRead), "last_login_at": timeText(s.LastLogin),
		"last_error": "", "last_error_kind": "", "consecutive_failures": 0, "next_attempt_at": "",
		"clock_skew_seconds":     int64(s.ClockSkew.Round(time.Second) / time.Second),
		"can_revoke_upstream":    canRevokeUpstream(s.Account) && (s.Token == nil || s.Account.CanRevoke(s.Token)),
		"credentials_updated_at": timeText(s.Account.CredentialsUpdatedAt),
		"token_use":              tokenUse(b.presets, &s.Account.Upstream),
		"logins":                 s.Logins, "login_failures": s.Failures, "reads": s.Read,
	}
	if s.Token != nil {
		data["token_id"], data["issued_at"] = s.Token.ID, timeText(s.Token.IssuedAt)
		data["expires_at"], data["rotates_at"] = timeText(s.Token.ExpiresAt), timeText(s.RotatesAt)
	}
	if f := s.Failure; f != nil {
		data["last_error"], data["last_error_kind"] = f.Message, string(f.Kind)
		data["consecutive_failures"] = f.Consecutive
		if s.Held && s.State != account.StatePaused {
			data["next_attempt_at"] = timeText(roundUp(f.NextAttempt))
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

// rejectedStatus says, while it holds, that a token refused by an API is not replaced, or not yet; otherwise it is "".
func rejectedStatus(mount, name string, s issuer.Status, now time.Time) string {
	switch {
	case s.Token.Repeated():
		return "; the upstream repeats it, and gives no other until it expires"
	case s.LastRejected.IsZero() || !s.RejectedFrom.After(now):
		return ""
	}
	return fmt.Sprintf("; a token that was refused by an API was replaced at %s: if this one is refused too, rejected_token_id "+
		"replaces it from %s on; to replace it now: vault write -f %srotate/%s",
		timeText(s.LastRejected), timeText(roundUp(s.RejectedFrom)), mount, name)
}

// roundUp is the first whole second that is not before t.
func roundUp(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// beforeRotation says that a failed login is not tried again before the token's rotation: from next_attempt_at on, one may be
// made, and none is due. It is "" where one is.
func beforeRotation(s issuer.Status, now time.Time) string {
	if s.Token == nil || s.Failure == nil || !s.RotatesAt.After(s.Failure.NextAttempt) || !s.RotatesAt.After(now) {
		return ""
	}
	return "no login is due before that token's rotation, " + when(s.RotatesAt) + ", unless an API refuses it"
}

// statusMessage is one sentence: any problem, and the command to run.
func statusMessage(mount, name string, s issuer.Status, now time.Time) string {
	switch s.State {
	case account.StatePaused:
		return fmt.Sprintf("paused%s: no login and no token; to resume: vault write %sconfig/%s paused=false",
			reasonText(s.Account.PauseReason), mount, name)
	case account.StateRejected, account.StateBackingOff:
		served := "reads fail"
		if s.Token != nil {
			served = "reads are served the token that expires at " + timeText(s.Token.ExpiresAt)
		}
		next, waits := "next attempt with the next read", beforeRotation(s, now)
		switch {
		case !s.InFlightSince.IsZero():
			next = "a login is in flight since " + timeText(s.InFlightSince)
			if s.Token == nil && !s.Held {
				served = "reads wait for the login"
			}
		case waits != "":
			next = waits
		case s.Failure.NextAttempt.After(now):
			next = "next attempt " + when(s.Failure.NextAttempt)
		case s.Token == nil: // the upstream may be back
			served, next = "there is no token", "the next read logs in"
		}
		return fmt.Sprintf("%s; %s; %s; %s", s.Failure.Message, served, next, remedy(mount, name, s.Failure))
	case account.StateReady:
		return "a token is ready: to read it, vault read " + mount + "token/<role>" + rejectedStatus(mount, name, s, now)
	default:
		switch {
		case !s.InFlightSince.IsZero():
			return fmt.Sprintf("no token yet: a login is in flight since %s; to see its result, vault read %sstatus/%s",
				timeText(s.InFlightSince), mount, name)
		case s.Suspect:
			return "no token: the last one may be dead, after a login whose result is not known or with a clock that was set back; the " +
				"next read of " + mount + "token/<role> logs in"
		}
		return "no token now: the next read of " + mount + "token/<role> logs in"
	}
}
