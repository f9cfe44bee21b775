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

// The gateway of EMEA and APAC (page Regions), and the token endpoint of LATAM (page LATAM).
const (
	pathGatewayEMEA = "/api/fs/fv_emea/security/v1/token/jwt/generate"
	pathGatewayAPAC = "/api/fs/fv_apac/security/v1/token/jwt/generate"
	pathLATAM       = "/cards/token"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	gatewayTTL    = time.Hour // "valid for 60 minutes"
	latamTTL      = 1799 * time.Second

	// longestAssertion is how far ahead exp may lie. The page does not say; its sample has an hour, and its error API-Sec-013
	// says that there is a limit. This one is what assertions of this kind are commonly given.
	longestAssertion = 5 * time.Minute
)

// gatewayProblem is an error of that gateway (page Errors).
type gatewayProblem struct {
	Status  int    `json:"-"`
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
}

func (ex *exchange) gatewayRefused(p gatewayProblem) { ex.json(p.Status, p) }

func gatewayWrongHeader() gatewayProblem {
	return gatewayProblem{http.StatusUnauthorized, "API-Sec-001", "The auth header has invalid values. Please try with valid values"}
}

func gatewayWrongFields() gatewayProblem {
	return gatewayProblem{http.StatusBadRequest, "API-Sec-003", "Invalid request. This could be because of invalid data in the " +
		"request or header, among other reasons."}
}

func gatewayWrongAssertion() gatewayProblem {
	return gatewayProblem{http.StatusBadRequest, "API-Sec-004", "Invalid request. The client_assertion JWT is invalid."}
}

// gatewayQuota is the response for FaultQuota.
func (ex *exchange) gatewayQuota() {
	ex.gatewayRefused(gatewayProblem{http.StatusTooManyRequests, "API-Sec-011", "You have exceeded the Product level quota"})
}

// openGateway reads a login by a signed assertion: nothing else is accepted outside the APAC sandbox.
func (s *Simulator) openGateway(region string) opener {
	return func(ex *exchange) attempt {
		if ex.r.Method != http.MethodPost {
			return other(func() { ex.gatewayRefused(gatewayProblem{http.StatusNotFound, "API-Sec-005", "Resource not found"}) })
		}
		f, media := readGatewayForm(ex)
		if assertion := f.values["client_assertion"]; assertion != "" {
			s.onSecret(Assertion, assertion)
		}
		return attempt{
			kind: kindLogin, protocol: FirstVision, account: f.values["client_id"],
			refuse: func() { ex.gatewayRefused(gatewayWrongAssertion()) },
			quota:  ex.gatewayQuota,
			respond: func() bool {
				if !media {
					ex.gatewayRefused(gatewayWrongFields())
					return false
				}
				return s.gatewayLogin(ex, region, f.values)
			},
		}
	}
}

// readGatewayForm reads the form; media reports whether it is one.
func readGatewayForm(ex *exchange) (f fields, media bool) {
	contentType, _, _ := strings.Cut(ex.r.Header.Get("Content-Type"), ";")
	return readForm(ex.body), strings.TrimSpace(contentType) == "application/x-www-form-urlencoded"
}

func (s *Simulator) gatewayLogin(ex *exchange, region string, values map[string]string) bool {
	a, known := s.account(FirstVision, values["client_id"])
	if !known {
		ex.gatewayRefused(gatewayProblem{
			http.StatusBadRequest, "API-Sec-002", "The client id provided is invalid. Please try with valid client id",
		})
		return false
	}
	if problem := s.checkAssertion(a, audiences(a, region, ex.r.Host), values); problem != nil {
		ex.gatewayRefused(*problem)
		return false
	}
	if values["scope"] != region+"_firstvision" || !a.mayAsk(values["scope"]) {
		ex.gatewayRefused(gatewayProblem{http.StatusForbidden, "API-Sec-008", "Mismatch in scope."})
		return false
	}
	a.TokenTTL = a.ttlAt(gatewayTTL)
	token, issued, expires, err := s.issueFirstVision(a, values["scope"])
	if err != nil {
		ex.internal(err)
		return false
	}
	ex.json(http.StatusOK, fvToken{token, "Bearer", a.expiresIn(issued, expires), ""})
	return true
}

// audience is the token URL of the authorization server. The page's sample is that of the sandbox.
func audience(host, region string) string {
	return "https://" + host + "/api/fs/fv_" + region + "/security/v1/token"
}

const sampleHost = "cert.api.firstdata.com"

// audiences are what the claim aud may be: the token URL of the host that is asked, or the sample's; never the URL that a login
// is sent to.
func audiences(a Account, region, host string) []string {
	if a.AssertionAudience != "" {
		return []string{a.AssertionAudience}
	}
	return []string{audience(sampleHost, region), audience(host, region)}
}

// checkAssertion verifies the assertion by RFC 7523, section 3, and by the table of claims on page Regions.
func (s *Simulator) checkAssertion(a Account, audiences []string, values map[string]string) *gatewayProblem {
	wrongFields, wrongAssertion := gatewayWrongFields(), gatewayWrongAssertion()
	if values["grant_type"] != "client_credentials" || values["client_assertion_type"] != assertionType {
		return &wrongFields
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(values["client_assertion"], &claims,
		func(*jwt.Token) (any, error) { return []byte(a.ClientSecret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(s.clock), jwt.WithIssuedAt(), jwt.WithExpirationRequired(),
		jwt.WithIssuer(a.ClientID), jwt.WithSubject(a.ClientID))
	expiry := errors.Is(err, jwt.ErrTokenExpired) || errors.Is(err, jwt.ErrTokenUsedBeforeIssued)
	switch {
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidSubject):
		return &wrongFields
	case expiry, err == nil && claims.ExpiresAt.Sub(s.clock()) > longestAssertion:
		return &gatewayProblem{
			http.StatusBadRequest, "API-Sec-013", "The JWT has an invalid expiry. Please send a request with a valid JWT",
		}
	case err != nil:
		return &wrongAssertion
	case claims.ID == "", len(claims.Audience) != 1, !slices.Contains(audiences, claims.Audience[0]):
		return &wrongFields
	}
	if !s.assertionIsNew(a, claims.ID, claims.ExpiresAt.Time) {
		return &gatewayProblem{
			http.StatusForbidden, "API-Sec-006", "Replay attack detected. Please use a new JWT token with a unique jti claim",
		}
	}
	return nil
}

// assertionIsNew remembers the jti of an assertion for as long as the assertion lives.
func (s *Simulator) assertionIsNew(a Account, jti string, expires time.Time) bool {
	key, now := a.ClientID+"\n"+jti, s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, until := range s.assertions {
		if !now.Before(until) {
			delete(s.assertions, old)
		}
	}
	if _, seen := s.assertions[key]; seen {
		return false
	}
	s.assertions[key] = expires
	return true
}

// openLATAM reads a login with HTTP Basic, the client id once more in the header apikey, and a form. Its response to a wrong
// one is not on the page; the errors of the other gateway are inferred for it.
func (s *Simulator) openLATAM(ex *exchange) attempt {
	id, secret, basic := ex.r.BasicAuth()
	f, media := readGatewayForm(ex)
	return attempt{
		kind: kindLogin, protocol: FirstVision, account: id,
		refuse: func() { ex.gatewayRefused(gatewayWrongHeader()) },
		quota:  ex.gatewayQuota,
		respond: func() bool {
			a, known := s.account(FirstVision, id)
			switch {
			case !basic || !known || a.ClientSecret != secret || ex.r.Header.Get("apikey") != id:
				ex.gatewayRefused(gatewayWrongHeader())
				return false
			case ex.r.Method != http.MethodPost || !media || f.values["grant_type"] != "client_credentials":
				ex.gatewayRefused(gatewayWrongFields())
				return false
			}
			a.TokenTTL = a.ttlAt(latamTTL)
			token, issued, expires := s.issueOpaque(a)
			a.ExpiresInAsString, a.AbsoluteExpiry = true, false // as in the sample
			ex.json(http.StatusOK, latamToken{
				"BearerToken", formatInt(issued.UnixMilli()), id, token, a.expiresIn(issued, expires), "approved",
			})
			return true
		},
	}
}

// latamToken is the response of page LATAM, in its order.
type latamToken struct {
	TokenType   string `json:"token_type"`
	IssuedAt    string `json:"issued_at"`
	ClientID    string `json:"client_id"`
	AccessToken string `json:"access_token"`
	ExpiresIn   any    `json:"expires_in,omitempty"`
	Status      string `json:"status"`
}

// ttlAt is the life of a token: what the page of the endpoint says, unless the account was given another.
func (a Account) ttlAt(documented time.Duration) time.Duration {
	if a.TokenTTL == vendorOf(a.Protocol).tokenTTL {
		return documented
	}
	return a.TokenTTL
}
