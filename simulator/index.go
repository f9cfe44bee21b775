// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"fmt"
	"strings"
)

// Index lists everything that the simulator serves, as text.
func Index() string {
	return indexHead + "\nLogins\n" + endpointLines(false) +
		"\nBusiness calls, to try a token on\n" + endpointLines(true) + indexControl
}

const indexHead = "This is a simulator. It is not Masters India or Fiserv: every account, token and response is invented, " +
	"and nothing\nleaves this machine.\n"

const indexControl = `
Control, from this machine only; bodies are JSON
  GET  /_simulator/            this page
  GET  /_simulator/counters    what happened so far
  POST /_simulator/reset       counters to zero
  POST /_simulator/fault       {"protocol":"jwt","kind":"throttled","retry_after":"30s","remaining":2}; {} clears all
                               kinds: down slow throttled unavailable html cut refuse redirect garbage empty stall quota
                               also: delay, redirect_to, on (login, refresh or business)
  POST /_simulator/clock       {"offset":"10m"}: sets a wrong clock; "0s" corrects it
  POST /_simulator/account     {"protocol":"jwt","username":"...","password":"...","token_ttl":"1h"}: add or replace
  POST /_simulator/kill        {"protocol":"jwt","user":"..."}: kills the tokens of a user
  GET  /_simulator/alive       with the token in the header X-Simulator-Token
`

// endpointLines lists the endpoints of all vendors, those of business calls or the others.
func endpointLines(business bool) string {
	var shown []endpoint
	width := 0
	for _, v := range vendors() {
		for _, e := range v.endpoints {
			if e.business == business {
				shown = append(shown, e)
				width = max(width, len(e.what))
			}
		}
	}
	var lines strings.Builder
	for _, e := range shown {
		fmt.Fprintf(&lines, "  %-*s  %s\n", width, e.what, e.words)
	}
	return lines.String()
}
