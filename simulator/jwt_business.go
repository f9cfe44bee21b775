// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

const pathEinvoice = "/api/v1/einvoice/"

// What drf-jwt says of the header Authorization (inferred; clients report the 401).
const (
	jwtNone      = "Authentication credentials were not provided."
	jwtEmpty     = "Invalid Authorization header. No credentials provided."
	jwtSpaces    = "Invalid Authorization header. Credentials string should not contain spaces."
	jwtExpired   = "Signature has expired."
	jwtDecoding  = "Error decoding signature."
	jwtIncorrect = "Incorrect authentication credentials."
)

// openEinvoice reads the one business call of the jwt protocol: generating an invoice reference number.
func (s *Simulator) openEinvoice(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(ex.djangoMethodNotAllowed)
	}
	token, problem := jwtFromHeader(ex.r.Header.Get("Authorization"))
	owner, state := s.checkToken(ex, JWT, token)
	return attempt{
		kind: kindBusiness, protocol: JWT, account: owner.owner.name,
		refuse: func() { ex.jwtRefused(jwtIncorrect) },
		respond: func() bool {
			if problem == "" {
				problem = jwtProblem(state)
			}
			if problem != "" {
				ex.jwtRefused(problem)
				return false
			}
			ex.einvoiceResponse()
			return true
		},
	}
}

// jwtFromHeader reads "JWT <token>". Any other scheme, Bearer included, counts as no credentials at all.
func jwtFromHeader(header string) (token, problem string) {
	words := strings.Fields(header)
	switch {
	case len(words) == 0 || !strings.EqualFold(words[0], "JWT"):
		return "", jwtNone
	case len(words) == 1:
		return "", jwtEmpty
	case len(words) > 2:
		return "", jwtSpaces
	default:
		return words[1], ""
	}
}

func jwtProblem(state verdict) string {
	switch state {
	case verdictLive:
		return ""
	case verdictExpired:
		return jwtExpired
	case verdictKilled:
		return jwtIncorrect
	default:
		return jwtDecoding
	}
}

func (ex *exchange) jwtRefused(text string) {
	ex.w.Header().Set("WWW-Authenticate", `JWT realm="api"`)
	ex.detail(http.StatusUnauthorized, text)
}

// einvoiceResults is the envelope of every business response, of the newer API as well as of the older one.
type einvoiceResults struct {
	Message      any    `json:"message"` // an object, or an empty string where there is an error
	ErrorMessage string `json:"errorMessage"`
	InfoDtls     string `json:"InfoDtls"`
	Status       string `json:"status"`
	Code         int    `json:"code"`
	RequestID    string `json:"requestId"`
}

// einvoiceResponse responds to a call whose token was accepted. A business failure comes with HTTP 200 and "code": 204.
func (ex *exchange) einvoiceResponse() {
	f, err := readFields("application/json", ex.body)
	if err != nil || f.values["user_gstin"] == "" {
		ex.json(http.StatusOK, map[string]einvoiceResults{"results": {Message: "", ErrorMessage: "3038: user_gstin is missing",
			Status: "Failed", Code: 204, RequestID: randomHex(8)}})
		return
	}
	ex.json(http.StatusOK, map[string]einvoiceResults{"results": {
		Message: map[string]any{"Irn": invoiceNumber(ex.body), "Status": "ACT", "Remarks": "simulated", "error": false},
		Status:  "Success", Code: http.StatusOK, RequestID: randomHex(8),
	}})
}

// invoiceNumber makes something that looks like an invoice reference number: the government's is a SHA-256 as well.
func invoiceNumber(invoice []byte) string {
	sum := sha256.Sum256(invoice)
	return hex.EncodeToString(sum[:])
}
