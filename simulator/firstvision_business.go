// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strings"
)

// cardID reads the path of the business call, Inquire Card: /v1/cards/{paymentInstrumentId}/details.
func cardID(path string) (string, bool) {
	path = strings.TrimPrefix(path, sandboxBase)
	id, ok := strings.CutPrefix(path, "/v1/cards/")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, "/details")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

func (s *Simulator) openCard(ex *exchange, id string) attempt {
	if ex.r.Method != http.MethodGet {
		return other(ex.fvMethod)
	}
	header := ex.r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(header, " ")
	g, state := s.checkToken(ex, FirstVision, token)
	return attempt{
		kind: kindBusiness, protocol: FirstVision, account: g.owner.name,
		refuse: func() { ex.fvRefused(fvProblem{"240101", "Unauthorized"}) },
		respond: func() bool {
			if problem := fvTokenProblem(header, scheme, token, state); problem != nil {
				ex.fvRefused(*problem)
				return false
			}
			ex.json(http.StatusOK, map[string]any{"paymentInstrumentId": id, "cardType": 0, "customerId": " ", "simulated": true})
			return true
		},
	}
}

// fvTokenProblem picks from the common error codes of page AGT.
func fvTokenProblem(header, scheme, token string, state verdict) *fvProblem {
	switch {
	case header == "":
		return &fvProblem{"240002", "Authorization header is missing in request"}
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return &fvProblem{"240003", "Bearer token is missing in request"}
	case state == verdictLive:
		return nil
	case state == verdictExpired:
		return &fvProblem{"240101", "The token is expired"}
	case state == verdictKilled:
		return &fvProblem{"240101", "Unauthorized"}
	default:
		return &fvProblem{"240004", "Bearer token is invalid"}
	}
}
