// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

// storeVerified stores the token that a verification brought, before readers get it. One that must not be served is
// dropped, and the next reader logs in.
func (t *transition) storeVerified(verification *Work) {
	token := verification.Token.limited(t.Account)
	if t.IsRevoked(token.ID) || !token.Usable(t.env.Reading) {
		t.keepExpired(token)
		return
	}
	t.cancelWork()
	t.addToOutbox(token, t.Account.LedgerRetention)
	t.start(ReasonVerification, t.Account)
	t.changeWork(func(w *Work) {
		w.Step, w.Token, w.Began, w.Took = storing, token, verification.Began, verification.Took
	})
}

// apply begins a login with settings that are not stored yet.
func (e Verify) apply(t *transition) {
	if t.Work == nil && (t.Known == known || t.Known == absent) && t.MayLogin(t.env, ReasonVerification, e.Account) == nil {
		t.start(ReasonVerification, e.Account)
	}
}

// verified looks at what a verification brought. A token waits until the settings are stored: see Written.
func (t *transition) verified(w *Work, e LoginEnded) {
	token, err := e.Token, e.Err
	if err == nil && !token.limited(w.Account).Usable(t.env.Reading) {
		t.keepExpired(token)
		err = errExpiredOnArrival
	}
	if err == nil {
		token = t.withKnownExpiry(token, w.Account).limited(w.Account)
		t.changeWork(func(w *Work) { w.Step, w.Token, w.Took = committing, token, e.Took })
		t.Suspect = t.Suspect || t.endsSession(token, w.Account)
		t.emit(Wake{})
		if w.Abandoned {
			t.cancelWork()
		}
		return
	}
	t.setFailures(t.failuresAfter(err, t.env, sentBy(w.Account, true), w.Account.life(t.Current)))
	f := lastOf(t.Failures, w.Account)
	t.Suspect = t.Suspect || t.invalidatedBy(err, w.Account)
	t.Work = nil
	t.emit(Report{Reason: ReasonVerification, Failure: f, Took: e.Took, Err: err})
	t.endVerification(w, &LoginError{Failure: *f, err: err})
}

// endVerification ends one that leads to nothing: the account stays as it was.
func (t *transition) endVerification(w *Work, err error) {
	t.VerifyWork, t.VerifyErr = w.ID, err
	t.changed()
	t.emit(Wake{})
}

// apply ends a verification whose settings were not stored. A login that was sent goes on: no other begins beside it, and its
// failure counts.
func (e Abandon) apply(t *transition) {
	switch w := t.Work; {
	case w == nil || w.ID != e.Work:
	case w.Step == loggingIn:
		t.changeWork(func(w *Work) { w.Abandoned = true })
	default:
		t.cancelWork()
	}
}
