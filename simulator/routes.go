// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strings"
)

// buildRoutes lists every vendor endpoint with a fixed path. net/http's ServeMux is not used: it would add its own redirects
// to the vendors'.
func (s *Simulator) buildRoutes() map[string]opener {
	routes := map[string]opener{
		pathLoginV1:  s.openLoginV1,
		pathLoginV2:  s.openLoginV2,
		pathRefresh:  s.openRefresh,
		pathEinvoice: s.openEinvoice,

		pathOAuth:         s.openOAuthLogin,
		pathSearchGSTIN:   s.openSearchGSTIN,
		pathOAuthEinvoice: s.openOAuthEinvoice,

		pathSOAP: s.openSOAP,
	}
	// The FirstVision sandbox is the same API one folder down.
	for _, base := range []string{"", sandboxBase} {
		routes[base+pathFirstVision] = s.openFirstVisionLogin
		routes[base+pathValidateToken] = s.openValidateToken
	}
	return routes
}

func (s *Simulator) route(path string) opener {
	if open, ok := s.routes[path]; ok {
		return open
	}
	if id, ok := cardID(path); ok {
		return func(ex *exchange) attempt { return s.openCard(ex, id) }
	}
	if _, ok := s.routes[path+"/"]; ok {
		return func(ex *exchange) attempt { return other(ex.djangoAppendSlash) }
	}
	if strings.HasPrefix(path, "/api/") {
		return func(ex *exchange) attempt { return other(ex.djangoInvalidProduct) }
	}
	return func(ex *exchange) attempt {
		return other(func() {
			ex.text(http.StatusNotFound, "simulated: no such endpoint; GET /_simulator/ lists them\n")
		})
	}
}

// shownPath is a path fit for a log. A segment long enough to be a token (the shortest has 40 characters) is cut.
func shownPath(path string) string {
	const longest = 32
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > longest {
			segments[i] = "…"
		}
	}
	return strings.Join(segments, "/")
}
