// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// What Django and its REST framework respond to requests that never reach the vendor's own code (inferred: the claims, the
// prefix "JWT" and the error shapes of the pages are those of drf-jwt).

// detail is the REST framework's general error.
func (ex *exchange) detail(status int, text string) {
	ex.json(status, map[string]string{"detail": text})
}

func (ex *exchange) djangoMethodNotAllowed() {
	ex.w.Header().Set("Allow", "POST, OPTIONS")
	ex.detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", ex.r.Method))
}

// djangoAppendSlash is APPEND_SLASH: a path that exists with a slash is redirected to it, POST or not. A client that follows
// turns its POST into a GET.
func (ex *exchange) djangoAppendSlash() {
	target := url.URL{Path: ex.r.URL.Path + "/", RawQuery: ex.r.URL.RawQuery}
	ex.w.Header().Set("Location", target.String())
	ex.reply(http.StatusMovedPermanently, "text/html; charset=utf-8", nil)
}

// djangoInvalidProduct is what clients report of a wrong path below /api/: a 401 that no new token cures.
func (ex *exchange) djangoInvalidProduct() { ex.detail(http.StatusUnauthorized, "Invalid Product") }

// djangoBodyError responds to a body that could not be read.
func (ex *exchange) djangoBodyError(err error) {
	switch {
	case errors.Is(err, errMediaType):
		ex.detail(http.StatusUnsupportedMediaType,
			fmt.Sprintf("Unsupported media type %q in request.", ex.r.Header.Get("Content-Type")))
	case errors.Is(err, errNoObject):
		ex.json(http.StatusBadRequest, map[string][]string{"non_field_errors": {"Invalid data. Expected a dictionary."}})
	case strings.HasPrefix(ex.r.Header.Get("Content-Type"), "multipart/"):
		ex.detail(http.StatusBadRequest, "Multipart form parse error - Invalid boundary in multipart: None")
	default:
		ex.detail(http.StatusBadRequest, "JSON parse error - Expecting value: line 1 column 1 (char 0)")
	}
}

// missingField is the text of page v1; stock Django says "This field is required.".
const missingField = "missing field"

// djangoMissing lists what is wrong with the required fields; nil means nothing.
func djangoMissing(f fields, required ...string) map[string][]string {
	wrong := make(map[string][]string)
	for _, name := range required {
		switch {
		case f.notText[name]:
			wrong[name] = []string{"Not a valid string."}
		case f.values[name] == "":
			wrong[name] = []string{missingField}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}
