// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	pathLoginV1 = "/api/v1/token-auth/"
	pathLoginV2 = "/api/v2/token-auth/"
)

// JWT is Masters India's token-auth, v1 and v2.
const JWT Protocol = "jwt"

func jwtVendor() vendor {
	return vendor{
		protocol: JWT,
		demo:     Account{Protocol: JWT, Username: "demo-jwt@simulator.example", Password: "demo-jwt-password"},
		tokenTTL: 24 * time.Hour, // page v1
		logins: []Login{
			{Config: "gst", Role: "billing", Preset: "einvoice-sandbox", Path: pathLoginV1},
			{Config: "ksa", Role: "ksa", Preset: "ksa-qa", Path: pathLoginV2, RefreshPath: pathRefresh},
		},
		endpoints: []endpoint{
			{false, "POST " + pathLoginV1, "jwt v1: username, password (JSON, form or multipart)"},
			{false, "POST " + pathLoginV2, "jwt v2, with a refresh token; KSA form with the header Productid: einvoicing_global"},
			{false, "POST " + pathRefresh, "jwt v2: the refresh token in the field token; headers Productid: einvoicing_global " +
				"and Service: online_service"},
			{true, "POST " + pathEinvoice, "jwt: Authorization: JWT <token>"},
		},
		routes: func(s *Simulator) map[string]opener {
			return map[string]opener{
				pathLoginV1: s.openLoginV1, pathLoginV2: s.openLoginV2, pathRefresh: s.openRefresh, pathEinvoice: s.openEinvoice,
			}
		},
		call: "POST " + pathEinvoice,
		business: func(ctx context.Context, base, token, _ string) (*http.Request, error) {
			return newBusinessRequest(ctx, http.MethodPost, base+pathEinvoice, `{"user_gstin":"`+inventedGSTIN+`"}`,
				map[string]string{"Authorization": "JWT " + token, "Content-Type": "application/json"})
		},
		accepted: func(body []byte) bool {
			var response struct{ Results json.RawMessage }
			return json.Unmarshal(body, &response) == nil && response.Results != nil
		},
	}
}

// wrongPassword comes with status 206, a success by HTTP's own rules (page v1, page KSA).
const wrongPassword = "Unable to login with provided credential"

// jwtPair is what a v2 login gives. Each form has the token first, as the samples have it: clients are known that split the
// text instead of parsing it.
type jwtPair struct{ access, refresh string }

// form gives the response's body. The refresh token's key has a space in it on page v2, and an underscore on page KSA.
func (p jwtPair) form(ksa bool) any {
	if ksa {
		return struct {
			Token   string `json:"token"`
			Refresh string `json:"refresh_token"`
		}{p.access, p.refresh}
	}
	return struct {
		Token   string `json:"token"`
		Refresh string `json:"refresh token"`
	}{p.access, p.refresh}
}

// isKSA reports whether the request is for the KSA product, by the header that page KSA wants on every call.
func isKSA(header http.Header) bool { return header.Get("Productid") == "einvoicing_global" }

func (s *Simulator) openLoginV1(ex *exchange) attempt {
	return s.openTokenAuth(ex, func(a Account) (any, error) {
		token, err := s.issueV1(a)
		return map[string]string{"token": token}, err
	})
}

func (s *Simulator) openLoginV2(ex *exchange) attempt {
	return s.openTokenAuth(ex, func(a Account) (any, error) {
		pair, err := s.issueV2(a)
		return pair.form(isKSA(ex.r.Header)), err
	})
}

// openTokenAuth reads a login of either version. The pages name no content type; clients send all three kinds, and page v2
// even asks for form-data.
func (s *Simulator) openTokenAuth(ex *exchange, issue func(Account) (any, error)) attempt {
	if ex.r.Method != http.MethodPost {
		return other(ex.djangoMethodNotAllowed)
	}
	f, err := readFields(ex.r.Header.Get("Content-Type"), ex.body)
	asked, _ := s.account(JWT, f.values["username"])
	ex.wrapped = asked.BusinessEnvelope
	refuse := func() { ex.json(http.StatusPartialContent, map[string]string{"error": wrongPassword}) }
	return attempt{
		kind: kindLogin, protocol: JWT, account: f.values["username"], refuse: refuse,
		respond: func() bool {
			if err != nil {
				ex.djangoBodyError(err)
				return false
			}
			if missing := djangoMissing(f, "username", "password"); missing != nil {
				ex.json(http.StatusBadRequest, missing)
				return false
			}
			a, ok := s.account(JWT, f.values["username"])
			if !ok || a.Password != f.values["password"] {
				refuse()
				return false
			}
			body, err := issue(a)
			if err != nil {
				ex.internal(err)
				return false
			}
			ex.json(http.StatusOK, body)
			return true
		},
	}
}

// issueV1 makes a token with the claims of the sample in the vendor's e-invoice document: those of drf-jwt.
func (s *Simulator) issueV1(a Account) (string, error) {
	issued, expires := s.life(a.TokenTTL)
	claims := userClaims(a)
	claims["orig_iat"] = issued.Unix()
	a.setExpiry(claims, expires)
	token, err := s.signHS256(a, claims, false)
	if err != nil {
		return "", err
	}
	s.recordLogin(a, map[string]grant{token: {owner: a.key(), expires: expires}})
	return token, nil
}

// issueV2 logs in for a pair.
func (s *Simulator) issueV2(a Account) (jwtPair, error) {
	pair, grants, err := s.makePair(a)
	if err != nil {
		return jwtPair{}, err
	}
	s.recordLogin(a, grants)
	return pair, nil
}

// makePair makes a pair with the claims of page v2: the access token names its refresh token, and neither has a time when it was
// issued.
func (s *Simulator) makePair(a Account) (jwtPair, map[string]grant, error) {
	_, accessEnd := s.life(a.TokenTTL)
	_, refreshEnd := s.life(a.RefreshTTL)
	refreshID := randomHex(16)

	access := userClaims(a)
	access["token_type"], access["jti"], access["refresh_jti"] = "access", randomHex(16), refreshID
	a.setExpiry(access, accessEnd)
	refresh := userClaims(a)
	refresh["token_type"], refresh["jti"], refresh["exp"] = "refresh", refreshID, refreshEnd.Unix()

	var pair jwtPair
	var err error
	if pair.access, err = s.signHS256(a, access, true); err != nil {
		return jwtPair{}, nil, err
	}
	if pair.refresh, err = s.signHS256(a, refresh, true); err != nil {
		return jwtPair{}, nil, err
	}
	return pair, map[string]grant{
		pair.access:  {owner: a.key(), partner: pair.refresh, expires: accessEnd},
		pair.refresh: {owner: a.key(), partner: pair.access, expires: refreshEnd, refresh: true},
	}, nil
}

// userClaims are in every token. The samples have the same address as username and email.
func userClaims(a Account) jwt.MapClaims {
	id := fnv.New32a()
	_, _ = id.Write([]byte(a.Username)) // a hash does not fail
	return jwt.MapClaims{"user_id": id.Sum32() % 10_000, "username": a.Username, "email": a.Username}
}
