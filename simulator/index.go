// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

// Index is the list of everything that the simulator serves, for people.
func Index() string {
	return `This is a simulator. It is not Masters India and not Fiserv: every account, token and answer is invented, and nothing
leaves this machine.

Logins
  POST /api/v1/token-auth/           jwt v1: username, password (JSON, form or multipart)
  POST /api/v2/token-auth/           jwt v2, with a refresh token; KSA form with the header Productid: einvoicing_global
  POST /api/v2/api-token-refresh/    jwt v2: the refresh token in the field token; headers Productid: einvoicing_global
                                     and Service: online_service
  POST /oauth/access_token           oauth: username, password, client_id, client_secret, grant_type (JSON or form)
  POST /api.einvoice.php             soap: operation access_new_token; GET ?wsdl describes it
  POST /v1/api/oauth/token           firstvision: a JSON body, or HTTP Basic with scope in the query and no body
  POST /sandbox/v1/api/oauth/token   the same

Business calls, to try a token on
  POST /api/v1/einvoice/                   jwt: Authorization: JWT <token>
  GET  /commonapis/searchgstin?gstin=...   oauth: Authorization: Bearer <token>, and the header client_id
  POST /generateEinvoice                   oauth: the token in the body field access_token
  POST /api.einvoice.php                   soap: operation eInvoiceGenerate, the token in access_token
  GET  /v1/cards/{id}/details              firstvision: Authorization: Bearer <token>; also below /sandbox
  POST /v1/api/oauth/validateToken         firstvision: token, client_id, client_secret; also below /sandbox

Control, from this machine only; bodies are JSON
  GET  /_simulator/            this page
  GET  /_simulator/counters    what happened so far
  POST /_simulator/reset       counters to zero
  POST /_simulator/fault       {"protocol":"jwt","kind":"throttled","retry_after":"30s","remaining":2}; {} clears all
                               kinds: down slow throttled unavailable html cut refuse redirect garbage empty stall
                               also: delay, redirect_to, on (login, refresh or business)
  POST /_simulator/clock       {"offset":"10m"}: the wrong clock to order
  POST /_simulator/account     {"protocol":"jwt","username":"...","password":"...","token_ttl":"1h"}: add or replace
  POST /_simulator/kill        {"protocol":"jwt","user":"..."}: tokens die by themselves
  GET  /_simulator/alive       with the token in the header X-Simulator-Token
`
}
