// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"fmt"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// login sends the credentials once. This node may do that: storage has just taken the note that it begins.
func (w *worker) login(work *account.Work, redact []string) account.Event {
	ctx, cancel := context.WithCancel(w.issuer.ctx)
	defer cancel()
	client, err := w.clientFor(work, cancel)
	if err != nil {
		return account.NotStarted{Work: work.ID, Err: fmt.Errorf("%w: %w", account.ErrUnusable, err)}
	}
	if client == nil {
		return nil
	}
	began, steps := w.issuer.now()
	grant, err := client.Login(ctx, redact...)
	if ctx.Err() != nil {
		return nil // given up: nothing is waiting for the result
	}
	took := w.issuer.clock().Elapsed - began.Elapsed
	if err != nil {
		return account.LoginEnded{Work: work.ID, Err: err, Took: took}
	}
	token := account.NewToken(grant, began, took, work.Account, work.Reason)
	return account.LoginEnded{Work: work.ID, Token: token, Clock: steps, Took: took}
}

// clientFor returns the client for a login, made when it is first needed, and notes how to give the login up; nil for a login
// that was given up before.
func (w *worker) clientFor(work *account.Work, cancel context.CancelFunc) (client upstream.Client, err error) {
	w.do(func(l *locked) {
		if l.state.Work == nil || l.state.Work.ID != work.ID {
			return
		}
		if l.client == nil || l.clientOf != work.Account {
			if client, err = w.issuer.newClient(work.Account); err != nil {
				return
			}
			l.client, l.clientOf = client, work.Account
		}
		client, l.cancel = l.client, cancel
	})
	return client, err
}
