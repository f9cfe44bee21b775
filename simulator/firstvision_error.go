// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strconv"
)

// fvProblem is one error of page AGT.
type fvProblem struct {
	code  string
	param string // what invalid-params says
}

// fvWrongClient is the one documented error of a login. The same code means "Unauthorized" and "The token is expired" on
// other calls, so that it proves nothing by itself.
func fvWrongClient() fvProblem {
	return fvProblem{"240101", "Invalid client credentials, scope or grant_type"}
}

// fvError is the shape of every error, in the order of the sample.
type fvError struct {
	Detail        string   `json:"detail"`
	ErrorCode     string   `json:"errorCode"`
	Instance      string   `json:"instance"`
	InvalidParams []string `json:"invalid-params"`
	Source        string   `json:"source"`
	Status        int      `json:"status"`
	Title         string   `json:"title"`
}

// fvRefused responds with an error: a JSON array, even of one.
func (ex *exchange) fvRefused(p fvProblem) {
	status := p.status()
	ex.json(status, []fvError{{
		Detail:        "Please refer to invalid-params for error details",
		ErrorCode:     p.code,
		Instance:      shownPath(ex.r.URL.Path),
		InvalidParams: []string{p.param},
		Source:        "AGT",
		Status:        status,
		Title:         http.StatusText(status),
	}})
}

// status reads the HTTP status out of the code: 240101 is 2-401-01. The pages do not say so, but every pair on them fits.
func (p fvProblem) status() int {
	status, err := strconv.Atoi(p.code[1:4])
	if err != nil {
		return http.StatusInternalServerError
	}
	return status
}

func (ex *exchange) fvMethod() { ex.fvRefused(fvProblem{"240501", "Method Not Allowed"}) }
