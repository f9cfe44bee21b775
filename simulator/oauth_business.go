// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strings"
)

const (
	pathSearchGSTIN   = "/commonapis/searchgstin"
	pathOAuthEinvoice = "/generateEinvoice"
)

// openSearchGSTIN reads the verification call: a bearer token, and beside it the client_id as a header (as many clients do).
func (s *Simulator) openSearchGSTIN(ex *exchange) attempt {
	if ex.r.Method != http.MethodGet {
		return other(func() { ex.oauthMethod(http.MethodGet) })
	}
	scheme, token, _ := strings.Cut(ex.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	return s.openOAuthBusiness(ex, token, func(g grant) bool {
		if ex.r.Header.Get("client_id") != g.client {
			ex.oauthRefused(oauthError{http.StatusBadRequest, "invalid_client", "The client credentials are invalid"})
			return false
		}
		ex.searchGSTINResponse(ex.r.URL.Query().Get("gstin"))
		return true
	})
}

// openOAuthEinvoice reads the e-invoice call of the older API: the token is a field of the body.
func (s *Simulator) openOAuthEinvoice(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(func() { ex.oauthMethod(http.MethodPost) })
	}
	f, _ := readFields(ex.r.Header.Get("Content-Type"), ex.body)
	return s.openOAuthBusiness(ex, f.values["access_token"], func(grant) bool {
		ex.einvoiceResponse()
		return true
	})
}

func (ex *exchange) oauthMethod(allowed string) {
	ex.w.Header().Set("Allow", allowed)
	ex.oauthRefused(oauthError{http.StatusMethodNotAllowed, "invalid_request", "The request method must be " + allowed})
}

func (s *Simulator) openOAuthBusiness(ex *exchange, token string, accept func(grant) bool) attempt {
	g, state := s.checkToken(ex, OAuth, token)
	return attempt{
		kind: kindBusiness, protocol: OAuth, account: g.owner.name,
		refuse: func() { ex.oauthInvalidToken("The access token provided is invalid") },
		respond: func() bool {
			switch state {
			case verdictLive:
				return accept(g)
			case verdictExpired:
				ex.oauthInvalidToken("The access token provided has expired")
			default:
				ex.oauthInvalidToken("The access token provided is invalid")
			}
			return false
		},
	}
}

func (ex *exchange) oauthInvalidToken(description string) {
	ex.w.Header().Set("WWW-Authenticate", `Bearer realm="Service", error="invalid_token"`)
	ex.oauthRefused(oauthError{http.StatusUnauthorized, "invalid_token", description})
}

// searchGSTINResponse has the shape that clients of this call read: "error" at the top, and its reason deep inside.
func (ex *exchange) searchGSTINResponse(gstin string) {
	if gstin == "" {
		ex.json(http.StatusOK, map[string]any{"error": true, "message": "", "data": map[string]any{
			"error": map[string]string{"error_cd": "SWEB_9000", "message": "gstin is missing"},
		}})
		return
	}
	ex.json(http.StatusOK, map[string]any{"error": false, "message": "", "data": map[string]any{
		"gstin": gstin, "lgnm": "SIMULATED TAXPAYER", "sts": "Active",
	}})
}
