// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"fmt"
	"slices"
)

// Check says what is wrong with the state, as far as its types cannot rule that out; nil for nothing. Tests ask it after every
// change.
func (s *State) Check() error {
	for _, f := range []func() error{s.checkSettings, s.checkTokens, s.checkWork, s.checkVersions, s.checkOutbox} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkSettings() error {
	switch {
	case (s.Account != nil) != (s.Known == known || s.Known == stale):
		return errors.New("settings that are not known are kept, or known ones are missing")
	case s.Account != nil && s.Generation != s.Account.Generation:
		return errors.New("the tokens are of another generation than the settings")
	case s.Loading != 0 && s.Loading != s.LoadID:
		return errors.New("the load that counts is not the last")
	}
	return s.checkFailures()
}

func (s *State) checkFailures() error {
	if len(s.Failures) > s.limits().failedLogins {
		return errors.New("too many failed logins are kept")
	}
	for n, f := range s.Failures {
		if f.NextAttempt.Before(f.At) {
			return fmt.Errorf("the next attempt at %s is before the login that failed", f.NextAttempt)
		}
		if slices.ContainsFunc(s.Failures[:n], f.isReplacedBy) {
			return errors.New("two failures of one kind concern the same login")
		}
	}
	want := failureOf(s.Failures, s.Account, false)
	if (want == nil) != (s.Failure == nil) || want != nil && *want != *s.Failure {
		return errors.New("the failure does not follow from those of the logins")
	}
	return nil
}

func (s *State) checkTokens() error {
	if c := s.Current; c != nil {
		switch {
		case s.Account == nil:
			return errors.New("a current token without settings")
		case c.Access == "":
			return errors.New("a current token without its secret")
		case c.Generation != s.Generation:
			return errors.New("the current token is of another generation")
		case c.revocation != "" || s.IsRevoked(c.ID):
			return errors.New("the current token is revoked")
		}
	} else if s.Suspect || s.Restored {
		return errors.New("no token, and yet it is suspect or counts as read")
	}
	if most := s.limits(); len(s.Superseded) > most.superseded || len(s.Revoked) > most.revoked || len(s.Deleted) > maxDeleted {
		return errors.New("too many tokens are kept")
	}
	if slices.Contains(s.Superseded, nil) || slices.Contains(s.Deleted, nil) {
		return errors.New("a list of tokens was changed in place")
	}
	ids := make([]string, 0, 1+len(s.Superseded))
	if s.Current != nil {
		ids = append(ids, s.Current.ID)
	}
	for _, t := range s.Superseded {
		ids = append(ids, t.ID)
		if s.IsRevoked(t.ID) && t.revocation == "" {
			return fmt.Errorf("that token %s was revoked is forgotten", t.ID)
		}
	}
	if id, ok := twice(ids); ok {
		return fmt.Errorf("token %s is kept twice", id)
	}
	for _, t := range s.Deleted {
		if t.Access != "" || t.refresh != "" {
			return fmt.Errorf("token %s, which is no more served, has its secrets", t.ID)
		}
	}
	ids = ids[:0]
	for _, r := range s.Revoked {
		ids = append(ids, r.ID)
	}
	if id, ok := twice(ids); ok {
		return fmt.Errorf("token %s is revoked twice", id)
	}
	return nil
}

// twice finds what is in a list twice.
func twice(ids []string) (id string, ok bool) {
	if len(ids) < 2 {
		return "", false
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return id, true
		}
		seen[id] = true
	}
	return "", false
}

func (s *State) checkWork() error {
	w := s.Work
	switch {
	case w == nil:
		return nil
	case w.ID != s.WorkID || w.Account == nil:
		return errors.New("the login in flight is not the last that began")
	case w.Version == 0 || w.Version > s.Version:
		return errors.New("the login waits for a record that is not planned")
	case !w.verifies() && (s.Account == nil || w.Account.Generation != s.Generation):
		return errors.New("the login in flight is of other settings")
	}
	waits := w.Version > s.Saved && w.Version > s.Lost
	brought := w.Token != nil || w.Failure != nil
	switch w.Step {
	case noting:
		if !waits && s.Known != stale || brought { // see logIn
			return errors.New("a login waits for a note that was made")
		}
	case loggingIn:
		if waits || brought {
			return errors.New("a login was sent that is not noted, or has a result already")
		}
	case storing:
		if !waits || (w.Token == nil) == (w.Failure == nil) {
			return errors.New("a login waits for a result that was stored, or has none")
		}
	case committing:
		if !w.verifies() || w.Token == nil || w.Failure != nil {
			return errors.New("settings are stored without a verification that succeeded")
		}
	default:
		return errors.New("a login has no step")
	}
	return nil
}

func (s *State) checkVersions() error {
	switch {
	case max(s.Urgent, s.Saving, s.Saved, s.Lost, s.Corrected) > s.Version:
		return errors.New("storage was told of a change that was not made")
	case s.Saving != 0 && s.Saving <= max(s.Saved, s.Lost):
		return errors.New("a write is in flight whose result is known")
	}
	return nil
}

func (s *State) checkOutbox() error {
	if len(s.Outbox) > s.limits().outbox {
		return errors.New("too many entries are in the outbox")
	}
	for n, o := range s.Outbox {
		if o.Token.Access != "" || o.Token.refresh != "" {
			return errors.New("a secret is to go to the ledger")
		}
		for _, other := range s.Outbox[:n] {
			if other.Token.ID == o.Token.ID && other.Token.revocation == o.Token.revocation {
				return errors.New("the outbox has the same entry twice")
			}
		}
	}
	return nil
}
