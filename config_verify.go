// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// wantsVerification reports whether a write logs in before it stores: one that creates a config, or changes what a login sends
// or where, unless verify_connection is false or the account is paused.
func wantsVerification(old, next *config, p params) bool {
	wanted, given := p[fieldVerifyConnection].(bool)
	return (wanted || !given) && !next.Paused && (old == nil || !sameLogin(old, next))
}

// cancelVerification ends a write of the config that waits for its verification: a pause or a deletion in an incident does not
// wait for a login that hangs. The config must be locked.
func (b *backend) cancelVerification(name string) {
	if cancel, ok := b.verifying.Load(name); ok {
		cancel.(context.CancelCauseFunc)(issuer.ErrChanged) //nolint:forcetypeassert // the map holds nothing else
	}
}

// verify logs in with settings, and calls commit with the token. In between the config is not locked, which it is before: commit
// is not called if the stored config is no longer old.
func (b *backend) verify(
	ctx context.Context, old *config, settings *issuer.Account, unlock func(), commit func(context.Context, *issuer.Token) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.verifying.Store(settings.Name, cancel)
	defer b.verifying.Delete(settings.Name)
	unlock()
	return b.issuer.Verify(ctx, settings, func(token *issuer.Token) error {
		patient, stop := issuer.Outlasting(ctx)
		defer stop()
		isCancelled := func() bool { return errors.Is(context.Cause(ctx), issuer.ErrChanged) }
		if isCancelled() {
			return issuer.ErrChanged
		}
		unlock, err := b.store.lock(patient, configPrefix+settings.Name)
		if err != nil {
			return err
		}
		defer unlock()
		now, err := b.store.config(patient, settings.Name)
		if err != nil {
			return err
		}
		if isCancelled() || !reflect.DeepEqual(now, old) {
			return issuer.ErrChanged
		}
		return commit(patient, token)
	})
}

// verificationErrorResponse says that nothing was stored, and how to store without verification. served says that readers are
// served a token, which that would take out of use.
func verificationErrorResponse(mount, name string, served bool, err error) (*logical.Response, error) {
	var failed *issuer.LoginError
	if errors.Is(err, issuer.ErrStillWaiting) {
		return nil, logical.CodedError(http.StatusGatewayTimeout, fmt.Sprintf(
			"config %q was not stored: another login of the account has not ended: write again, or with verify_connection=false", name))
	}
	if errors.Is(err, issuer.ErrChanged) {
		return nil, logical.CodedError(http.StatusConflict, fmt.Sprintf(
			"config %q was not stored: it was changed, or its tokens were revoked, while its login was verified: write again", name))
	}
	if !errors.As(err, &failed) {
		return loginErrorResponse(mount, name, err)
	}
	message := fmt.Sprintf("config %q was not stored, because its login failed: %s", name, failed.Message)
	switch {
	case failed.Remembered && (failed.Kind == upstream.Rejected || failed.Kind == upstream.Throttled): // whatever else is written
		message += "; these credentials were not sent again, next attempt " + when(failed.NextAttempt)
	case failed.Remembered:
		message += "; the same login failed before and was not tried again, next attempt " + when(failed.NextAttempt)
	}
	message += "; " + correction(&failed.Failure)
	switch {
	case failed.Remembered && failed.Refused():
		message += "; if they are correct by now, or something else was wrong: write again with verify_connection=false, and then " +
			"vault write -f " + mount + "rotate/" + name
	case failed.Refused():
		message += " (verify_connection=false would store it all the same, and reads would fail)"
	default:
		message += ", or store it without verification: verify_connection=false"
	}
	if served && (failed.Remembered || !failed.Refused()) {
		message += "; reads are served a token now, and would then fail until a login succeeds"
	}
	return nil, logical.CodedError(statusOf(failed), message)
}

// correction is what to do about a failed verification, for the operator who has just written the config.
func correction(f *issuer.Failure) string {
	switch {
	case f.Kind == upstream.Rejected:
		return "correct the credentials and write again"
	case f.Cause == upstream.CauseToken:
		return "this is the response of the login endpoint: check the clock of the Vault server, or tell the vendor, and write again"
	case f.Kind == upstream.Malformed:
		return "check that token_url is the login endpoint, and write again"
	case f.Cause == upstream.CauseTLS:
		return "check the host and port of token_url, and the proxy if there is one, or, if the upstream has a private CA, write " +
			"again with ca_cert=@ca.pem"
	case f.Cause == upstream.CauseDNS:
		return "check the host of token_url, and the proxy if there is one, and write again"
	case f.Cause == upstream.CauseNetwork:
		return "check the host and port of token_url, and the proxy if there is one, and write again"
	case f.Kind == upstream.Throttled, f.Kind == upstream.Unavailable:
		return "write again later"
	default:
		return "correct the settings and write again"
	}
}
