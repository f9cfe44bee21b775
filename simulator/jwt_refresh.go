// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import "net/http"

const pathRefresh = "/api/v2/api-token-refresh/"

// What page KSA says of refresh tokens. It shows the words, not the shape around them: "error" is inferred from the login.
const (
	refreshWrong   = "Passing Incorrect/Invalid token" // status 206
	refreshExpired = "Expired Refresh token"           // status 400
)

// openRefresh reads an exchange of a refresh token for a new pair. The refresh token travels in the field "token".
func (s *Simulator) openRefresh(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(ex.djangoMethodNotAllowed)
	}
	f, err := readFields(ex.r.Header.Get("Content-Type"), ex.body)
	token := f.values["token"]
	owner, _ := s.checkToken(ex, JWT, token)
	return attempt{
		kind: kindRefresh, protocol: JWT, account: owner.owner.name,
		refuse: func() { ex.refreshWrong() },
		respond: func() bool {
			if err != nil {
				ex.djangoBodyError(err)
				return false
			}
			return s.refresh(ex, f)
		},
	}
}

func (ex *exchange) refreshWrong() {
	ex.json(http.StatusPartialContent, map[string]string{"error": refreshWrong})
}

func (s *Simulator) refresh(ex *exchange, f fields) bool {
	// Page KSA wants both headers on this call ("Keep as is") and is the only page that describes it. What their absence gives
	// is inferred from what clients report of a wrong product.
	if !isKSA(ex.r.Header) {
		ex.djangoInvalidProduct()
		return false
	}
	if ex.r.Header.Get("Service") != "online_service" {
		ex.json(http.StatusBadRequest, map[string][]string{"service": {missingField}})
		return false
	}
	if missing := djangoMissing(f, "token"); missing != nil {
		ex.json(http.StatusBadRequest, missing)
		return false
	}
	token := f.values["token"]
	old, state := s.refreshState(token)
	switch state {
	case verdictLive:
	case verdictExpired:
		ex.json(http.StatusBadRequest, map[string]string{"error": refreshExpired})
		return false
	default:
		ex.refreshWrong()
		return false
	}
	a, ok := s.account(JWT, old.owner.name)
	if !ok {
		ex.refreshWrong()
		return false
	}
	pair, grants, err := s.makePair(a)
	if err != nil {
		ex.internal(err)
		return false
	}
	if !s.replacePair(token, grants) {
		ex.refreshWrong() // another refresh with the same token came first
		return false
	}
	ex.json(http.StatusOK, pair.form(true))
	return true
}

// refreshState is how the refresh endpoint looks at a token: an access token is a wrong one.
func (s *Simulator) refreshState(token string) (grant, verdict) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.tokens[token]
	switch {
	case !ok || !g.refresh || g.killed:
		return grant{}, verdictUnknown
	case !now.Before(g.expires):
		return g, verdictExpired
	default:
		return g, verdictLive
	}
}

// replacePair kills the pair of a refresh token at once and puts the new one in its place: "the current access and refresh
// tokens will be invalid" (page KSA).
func (s *Simulator) replacePair(token string, grants map[string]grant) bool {
	s.reportTokens(grants)
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.tokens[token]
	if !old.refresh || old.isOver(now) {
		return false
	}
	s.tokens.kill(now, func(t string, _ grant) bool { return t == token || t == old.partner })
	s.addTokens(grants, now)
	return true
}
