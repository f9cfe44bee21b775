// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	sandboxBase     = "/sandbox" // the server in the vendor's API descriptions ends in /sandbox/
	pathFirstVision = "/v1/api/oauth/token"
)

// firstVisionScopes are the documented scopes of the v1 endpoint.
const firstVisionScopes = "accounts auth bnpl cards customers loans loyalty misc products users all"

// The longest values that the newest API description allows.
const (
	maxClientID     = 60
	maxClientSecret = 100
	maxGrantType    = 20
	maxScope        = 100
)

// fvRequest is a token request in either form.
type fvRequest struct {
	grantType, scope, clientID, clientSecret string
}

// openFirstVisionLogin reads both documented forms: an empty body with HTTP Basic and the rest in the query (2022), and all
// in a JSON body (since then).
func (s *Simulator) openFirstVisionLogin(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(ex.fvMethod)
	}
	read := readFVQuery
	if len(ex.body) > 0 {
		read = readFVJSON
	}
	request, problem := read(ex)
	return attempt{
		kind: kindLogin, protocol: FirstVision, account: request.clientID,
		refuse: func() { ex.fvRefused(fvWrongClient()) },
		answer: func() bool {
			if problem != nil {
				ex.fvRefused(*problem)
				return false
			}
			return s.fvLogin(ex, request)
		},
	}
}

// readFVQuery reads the older form. Page AGT of 2022 wants scope alone in the query; the description beside it grant_type
// too: so that may be missing here.
func readFVQuery(ex *exchange) (fvRequest, *fvProblem) {
	query := ex.r.URL.Query()
	header := ex.r.Header.Get("Authorization")
	id, secret, basic := ex.r.BasicAuth()
	request := fvRequest{grantType: query.Get("grant_type"), scope: query.Get("scope"), clientID: id, clientSecret: secret}
	if request.grantType == "" {
		request.grantType = "client_credentials"
	}
	switch {
	case header == "" && len(query) == 0:
		return request, &fvProblem{"240006", "Payload is empty"}
	case header == "":
		return request, &fvProblem{"240002", "Authorization header is missing in request"}
	case !basic:
		problem := fvWrongClient()
		return request, &problem
	case request.scope == "":
		return request, &fvProblem{"240009", "Required field(s) missing: scope"}
	}
	return request, nil
}

// readFVJSON reads the newer form, of which all four fields are required.
func readFVJSON(ex *exchange) (fvRequest, *fvProblem) {
	f, problem := readFVFields(ex, "grant_type", "scope", "client_id", "client_secret")
	v := f.values
	return fvRequest{v["grant_type"], v["scope"], v["client_id"], v["client_secret"]}, problem
}

// readFVFields reads a JSON body with required fields.
func readFVFields(ex *exchange, required ...string) (fields, *fvProblem) {
	contentType := ex.r.Header.Get("Content-Type")
	if contentType == "" {
		return fields{}, &fvProblem{"241502", "Content type is not provided"}
	}
	if media, _, _ := strings.Cut(contentType, ";"); strings.TrimSpace(media) != "application/json" {
		return fields{}, &fvProblem{"241503", "Allowed content type for this client is application/json"}
	}
	f, err := readJSON(ex.body)
	switch {
	case len(ex.body) == 0:
		return fields{}, &fvProblem{"240006", "Payload is empty"}
	case errors.Is(err, errSyntax):
		return fields{}, &fvProblem{"240007", "Message not readable"}
	case err != nil:
		return fields{}, &fvProblem{"240005", "Payload is not valid"}
	}
	var missing []string
	for _, name := range required {
		if f.values[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return f, &fvProblem{"240009", "Required field(s) missing: " + strings.Join(missing, ", ")}
	}
	return f, nil
}

func (s *Simulator) fvLogin(ex *exchange, r fvRequest) bool {
	if len(r.clientID) > maxClientID || len(r.clientSecret) > maxClientSecret ||
		len(r.grantType) > maxGrantType || len(r.scope) > maxScope {
		ex.fvRefused(fvProblem{"240010", "Constraint(s) Violated"})
		return false
	}
	a, ok := s.account(FirstVision, r.clientID)
	if !ok || a.ClientSecret != r.clientSecret || r.grantType != "client_credentials" || !a.mayAsk(r.scope) {
		ex.fvRefused(fvWrongClient()) // one code for all of these
		return false
	}
	token, issued, expires, err := s.issueFirstVision(a, r.scope)
	if err != nil {
		ex.internal(err)
		return false
	}
	ex.json(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   any    `json:"expires_in,omitempty"`
	}{token, "Bearer", a.expiresIn(issued, expires)})
	return true
}

// mayAsk tells whether the client may ask for these scopes.
func (a Account) mayAsk(scope string) bool {
	allowed := strings.Fields(a.Scope)
	asked := strings.Fields(scope)
	for _, name := range asked {
		if !slices.Contains(allowed, name) {
			return false
		}
	}
	return len(asked) > 0
}

// issueFirstVision makes a token with the claims of the sample on page AGT. It does not tell when it was issued.
func (s *Simulator) issueFirstVision(a Account, scope string) (token string, issued, expires time.Time, err error) {
	issued, expires = s.life(a.TokenTTL)
	claims := jwt.MapClaims{"scope": scope, "client_id": a.ClientID, "firstVisionId": "00000SIMUL"}
	a.setExpiry(claims, expires)
	token, err = signRS256(a, claims)
	if err != nil {
		return "", issued, expires, err
	}
	s.recordLogin(a, map[string]grant{token: {owner: a.key(), client: a.ClientID, expires: expires}})
	return token, issued, expires, nil
}
