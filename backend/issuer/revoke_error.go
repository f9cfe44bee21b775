// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"maps"
	"slices"
)

// noteRevokeError remembers why the upstream has not revoked the token, nil if it has, and reports whether that is news. The same
// is asked every minute, and must not be logged as often.
func (l *locked) noteRevokeError(tokenID string, err error) (isNews bool) {
	maps.DeleteFunc(l.revokeErrors, func(id, _ string) bool { return l.state.Find(id) == nil && !l.isFormer(id) })
	why := ""
	if err != nil {
		why = err.Error()
	}
	isNews = why != l.revokeErrors[tokenID]
	l.revokeErrors[tokenID] = why
	return isNews
}

// whyNotRevoked says why the upstream has not revoked tokens, by ID.
func (w *worker) whyNotRevoked() (why map[string]string) {
	w.do(func(l *locked) { why = maps.Clone(l.revokeErrors) })
	return why
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
