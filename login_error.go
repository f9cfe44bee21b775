// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// userError is an error that the caller can correct: Vault returns it as 400.
func userError(format string, args ...any) (*logical.Response, error) {
	return logical.ErrorResponse(fmt.Sprintf(format, args...)), nil
}

// loginErrorResponse turns an error of the issuer into a response. Codes are bare coded errors: Vault loses the code of an error
// that wraps one, or that comes with a response.
func loginErrorResponse(mount, config string, err error) (*logical.Response, error) {
	var failed *issuer.LoginError
	var paused *issuer.PausedError
	switch {
	case errors.As(err, &failed):
		return nil, logical.CodedError(statusOf(failed), failureMessage(mount, config, failed, ""))
	case errors.As(err, &paused):
		return userError("config %q is paused%s: to resume, vault write %sconfig/%s paused=false",
			config, reasonText(paused.Reason), mount, config)
	case errors.Is(err, issuer.ErrNoAccount):
		return noConfig(mount, config)
	case errors.Is(err, issuer.ErrUnusable):
		return nil, logical.CodedError(http.StatusInternalServerError, fmt.Sprintf(
			"config %q: %v; %s%sconfig/%s", config, err, messageUnusable, mount, config))
	case errors.Is(err, issuer.ErrStillWaiting):
		return nil, logical.CodedError(http.StatusGatewayTimeout, fmt.Sprintf(
			"config %q: the upstream has not responded yet, and the login goes on: try again; to see its result: vault read %sstatus/%s",
			config, mount, config))
	case errors.Is(err, issuer.ErrStorageSlow):
		return nil, storageSlow(fmt.Sprintf("config %q", config))
	default:
		return nil, err
	}
}

// messageSetup is what Vault's refusal to write during setup means to an operator.
const messageSetup = "this mount can read but not write: most likely the plugin's file was missing when this node " +
	"became active; put the right file on every node, then let another node become active: vault operator step-down (seal and " +
	"unseal a single server)"

// messageUnusable is what to do about stored settings that cannot be used. The path of the config follows.
const messageUnusable = "the upstream was not contacted: write that field, or go back to the version that wrote it: vault read "

// isSetup reports whether Vault's storage refuses writes because the mount is being set up. A mount without its plugin stays in
// that state after the file is there again. The text is all that comes over gRPC.
func isSetup(text string) bool { return strings.Contains(text, logical.ErrSetupReadOnly.Error()) }

// withRepair adds to an error that any request can end with what to do about it, where that is known.
func withRepair(err error) error {
	if errors.Is(err, issuer.ErrStopped) {
		return logical.CodedError(http.StatusServiceUnavailable, "the plugin is being reloaded: try again")
	}
	if errors.Is(err, context.DeadlineExceeded) { // all other waits have errors of their own
		return storageSlow(err.Error())
	}
	if err == nil || !isSetup(err.Error()) || strings.Contains(err.Error(), messageSetup) {
		return err
	}
	status := http.StatusInternalServerError
	if coded, is := errors.AsType[logical.HTTPCodedError](err); is {
		status = coded.Code()
	}
	return logical.CodedError(status, err.Error()+": "+messageSetup)
}

// storageSlow is the error for a request whose time was over before storage had responded.
func storageSlow(what string) error {
	return logical.CodedError(http.StatusGatewayTimeout,
		what+": Vault's storage has not responded yet: try again; check vault status and the server log")
}

func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// statusOf is the HTTP status of a failure. Failures that a retry cannot fix are 4xx, since clients retry on 5xx. It is never
// 403, on which clients discard their Vault token.
func statusOf(f *issuer.LoginError) int {
	switch f.Kind {
	case upstream.Rejected, upstream.Invalid:
		return http.StatusBadRequest
	case upstream.Throttled:
		return http.StatusTooManyRequests
	case upstream.Unavailable, upstream.Malformed, account.Blocked:
	}
	switch {
	case f.Remembered:
		return http.StatusServiceUnavailable
	case f.Cause == upstream.CauseTimeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadGateway
	}
}

// failureMessage is the cause, the time of the next attempt, and the command to run. waits says why none is made when the hold is
// over; it is "" where one is.
func failureMessage(mount, config string, f *issuer.LoginError, waits string) string {
	switch {
	case f.NextAttempt.Before(f.ForcedAfter): // the next attempt may be over, and the command is the one that was run too soon
		return fmt.Sprintf("config %q: %s%s", config, f.Message, untried(f))
	case waits != "":
		return fmt.Sprintf("config %q: %s%s; reads are served the present token: %s; %s",
			config, f.Message, untried(f), waits, remedy(mount, config, &f.Failure))
	}
	return fmt.Sprintf("config %q: %s%s; next attempt %s; %s",
		config, f.Message, untried(f), when(f.NextAttempt), remedy(mount, config, &f.Failure))
}

// untried states that a forced login that came too soon was not made: an operator who has just had the account unlocked by the
// vendor must not take the response for a new refusal.
func untried(f *issuer.LoginError) string {
	if f.ForcedAfter.IsZero() {
		return ""
	}
	last := ""
	if f.NextAttempt.Before(f.ForcedAfter) {
		last = "made one less than 10 seconds ago, and "
	}
	return "; no new login was made: rotate/ " + last + "logs in again from " + timeText(roundUp(f.ForcedAfter)) + " on"
}

func when(t time.Time) string { return "at " + timeText(roundUp(t)) }

// remedy is the command to run, by cause.
func remedy(mount, config string, f *issuer.Failure) string {
	path := mount + "config/" + config
	switch {
	case f.Kind == upstream.Rejected:
		return "to set the correct credentials: vault write " + path + " " + credentialArgs(f.Protocol) +
			"; if they are correct by now: vault write -f " + mount + "rotate/" + config
	case f.Kind == upstream.Invalid:
		return "compare the settings with the vendor's documentation: vault read " + path + "; if they are correct: vault write -f " +
			mount + "rotate/" + config
	case f.Kind == account.Blocked && isSetup(f.Message):
		return messageSetup
	case f.IsUnusable():
		return messageUnusable + path
	case f.Kind == account.Blocked:
		return "the upstream was not contacted: check that Vault's storage accepts writes, with vault status and in the server log"
	case f.Kind == upstream.Throttled:
		return "wait; to check the account: vault read " + mount + "status/" + config
	case f.Cause == account.Repeated:
		return "no setting is wrong: wait, or have the vendor end that token's session, and then: vault write -f " +
			mount + "rotate/" + config
	case f.Cause == upstream.CauseTLS:
		return "check the host and port of token_url, and the proxy if there is one, or, if the upstream has a private CA: " +
			"vault write " + path + " ca_cert=@ca.pem " + secretArgs(f.Protocol)
	case f.Cause == upstream.CauseDNS:
		return "check the host of token_url, and the proxy if there is one: vault read " + path
	case f.Cause == upstream.CauseToken:
		return "this is the response of the login endpoint: check the clock of the Vault server, or tell the vendor; to retry " +
			"sooner: vault write -f " + mount + "rotate/" + config
	case f.Kind == upstream.Malformed:
		return "check that token_url is the login endpoint: vault read -field=token_url " + path
	default:
		return "to retry sooner: vault write -f " + mount + "rotate/" + config
	}
}

// credentialArgs are the credentials as arguments of a command.
func credentialArgs(protocol upstream.Protocol) string {
	args := secretArgs(protocol)
	if specOf(string(protocol)).Mentions(upstream.FieldScope) {
		args = "scope=... " + args
	}
	return args
}

// secretArgs are the secrets of the protocol as arguments of a command. One that is typed on standard input would be seen.
func secretArgs(protocol upstream.Protocol) string {
	spec := specOf(string(protocol))
	var args []string
	for _, name := range secretFields() {
		if spec.Mentions(name) {
			args = append(args, name+"=@file")
		}
	}
	return strings.Join(args, " ")
}
