// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strings"
)

// route finds what serves a path. net/http's ServeMux is not used: it would add its own redirects to the vendors'.
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
		return other(func() { ex.text(http.StatusNotFound, "simulated: no such endpoint; GET /_simulator/ lists them\n") })
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
