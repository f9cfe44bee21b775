// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"maps"
	"slices"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// note remembers the upstream's response to the revocation of a token, nil where it has revoked it, and reports whether that is
// news: the same is asked every minute, and must not be logged as often. Calls of Revoke that wait are given each response, since
// the account may know nothing of the token any more when they come to look: its config may be deleted.
func (l *locked) note(tokenID string, err error) (isNews bool) {
	maps.DeleteFunc(l.revokeErrors, func(id, _ string) bool { return l.state.Find(id) == nil && !l.isFormer(id) })
	why := ""
	if err != nil {
		why = err.Error()
	}
	for _, r := range l.revocations {
		for n := range r.results {
			if result := &r.results[n]; result.TokenID == tokenID && result.Upstream != account.Killed {
				result.Upstream, result.Why = revokeOutcome(err), why
			}
		}
	}
	isNews = why != l.revokeErrors[tokenID]
	l.revokeErrors[tokenID] = why
	return isNews
}

func (l *locked) isFormer(tokenID string) bool {
	for _, tokens := range l.former {
		if slices.ContainsFunc(tokens, func(t *Token) bool { return t.ID == tokenID }) {
			return true
		}
	}
	return false
}

// logRevocation logs what is news of a token that the upstream was asked to revoke.
func (w *worker) logRevocation(tokenID string, err error) {
	if err == nil {
		w.issuer.logger.Info("the upstream has revoked a token after all", "config", w.name, "token_id", tokenID)
		return
	}
	w.issuer.logger.Warn("the upstream has not revoked a token", "config", w.name, "token_id", tokenID,
		"upstream", revokeOutcome(err), "error", err)
}
