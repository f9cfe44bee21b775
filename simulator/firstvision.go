// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	sandboxBase      = "/sandbox" // the server in the vendor's API descriptions ends in /sandbox/
	pathFirstVision  = "/v1/api/oauth/token"
	pathFirstVision2 = "/v2/api/oauth/token" // with ?appContext=firstvision
)

// firstVisionScopes are the documented scopes: of the v1 endpoint, of the v2 endpoint, and of the regions.
const firstVisionScopes = "accounts auth bnpl cards customers loans loyalty misc products users all " +
	"firstvision.all aplus.all emea_firstvision apac_firstvision"

// FirstVision is Fiserv FirstVision's client credentials grant.
const FirstVision Protocol = "firstvision"

func firstVisionVendor() vendor {
	return vendor{
		protocol: FirstVision,
		demo:     Account{Protocol: FirstVision, ClientID: "demo-firstvision-client", ClientSecret: "demo-firstvision-client-secret"},
		tokenTTL: 7199 * time.Second,         // page AGT, newest revision
		prepare:  func() { _, _ = rsaKey() }, // a login reports its failure
		logins: []Login{
			{
				Config: "cards", Role: "issuing", Preset: "firstvision-sandbox", Path: sandboxBase + pathFirstVision,
				Settings: func(a Account) []string { return []string{"scope=" + a.someScope()} },
			},
			{Config: "cards-emea", Role: "issuing-emea", Preset: "firstvision-emea-sandbox", Path: pathGatewayEMEA, TokenTTL: gatewayTTL},
			{
				Config: "cards-latam", Role: "issuing-latam", Path: pathLATAM, TokenTTL: latamTTL,
				Settings: func(a Account) []string { return []string{"request_format=form", "headers=apikey=" + a.ClientID} },
			},
		},
		endpoints: []endpoint{
			{false, "POST " + pathFirstVision, "firstvision: a JSON body, or HTTP Basic with scope in the query and no body; also " +
				"below " + sandboxBase},
			{false, "POST " + pathFirstVision2, "firstvision: a JSON body; ?appContext=firstvision; also below " + sandboxBase},
			{false, "POST " + pathGatewayEMEA, "firstvision: a form with a signed client_assertion, whose aud is " +
				audience(sampleHost, "emea")},
			{false, "POST " + pathGatewayAPAC, "firstvision: the same for APAC"},
			{false, "POST " + pathLATAM, "firstvision: HTTP Basic, the client id in the header apikey, a form"},
			{true, "GET  /v1/cards/{id}/details", "firstvision: Authorization: Bearer <token>; also below " + sandboxBase},
		},
		routes: func(s *Simulator) map[string]opener {
			routes := map[string]opener{
				pathGatewayEMEA: s.openGateway("emea"), pathGatewayAPAC: s.openGateway("apac"), pathLATAM: s.openLATAM,
			}
			// The sandbox is the same API one folder down.
			for _, base := range []string{"", sandboxBase} {
				routes[base+pathFirstVision] = s.openFirstVisionLogin
				routes[base+pathFirstVision2] = s.openFirstVisionLogin
			}
			return routes
		},
		call: "GET /v1/cards/{id}/details",
		business: func(ctx context.Context, base, token, _ string) (*http.Request, error) {
			return newBusinessRequest(ctx, http.MethodGet, base+"/v1/cards/0000000000000000001/details", "",
				map[string]string{"Authorization": "Bearer " + token})
		},
		accepted: func(body []byte) bool { return json.Valid(body) },
	}
}

// someScope is a scope that the account may ask for at the sandbox.
func (a Account) someScope() string {
	if a.Scope == "" {
		return "accounts cards"
	}
	scope, _, _ := strings.Cut(a.Scope, " ")
	return scope
}

// fvToken is the response to a login.
type fvToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   any    `json:"expires_in,omitempty"`
	Scope       string `json:"scope,omitempty"` // v2 only
}

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
		respond: func() bool {
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
	response := fvToken{token, "Bearer", a.expiresIn(issued, expires), ""}
	if strings.HasSuffix(ex.r.URL.Path, pathFirstVision2) {
		response.Scope = r.scope
	}
	ex.json(http.StatusOK, response)
	return true
}

// mayAsk reports whether the client may ask for these scopes.
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

// issueFirstVision makes a token with the claims of the sample on page AGT. It has no time of issue.
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
