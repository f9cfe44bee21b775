// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package simulator stands in for the login endpoints of Masters India and of Fiserv FirstVision: it serves them as an
// http.Handler, as the vendors' pages describe them, quirks included, so that tests and people without an account have
// something to log in to. Nothing here is the vendors' code and nothing leaves the machine.
//
// It is an independent reading of the pages: it shares no code with the engine's own client, since two halves written from
// one misunderstanding would agree with each other.
//
// A comment names where a quirk comes from:
//
//   - "page v1": Masters India, Access Tokens (/api/v1/token-auth/)
//   - "page v2": Masters India, IRN APIs, Auth API (/api/v2/token-auth/)
//   - "page KSA": Masters India, KSA e-invoicing, Access Tokens (v2 with product headers, and the refresh)
//   - "page Vanila": Masters India, Access Token Vanila (/oauth/access_token)
//   - "page SOAP": Masters India, Access Token SOAP (api.einvoice.php)
//   - "page AGT": Fiserv FirstVision APAC, Get Access Token, Check Token Validation, Common Error Code
//   - "page Regions": Fiserv FirstVision EMEA, Registration and Token, and "page Errors": Error codes
//   - "page LATAM": Fiserv FirstVision LATAM, Access Token
//
// What no page documents is marked "inferred", with the public software that its wording points to: Django REST framework with
// drf-jwt, bshaffer/oauth2-server-php, NuSOAP.
//
// One Simulator plays all the vendors' hosts at once, since their paths do not overlap. Beside them it serves /_simulator/,
// by which a person or a script orders faults, a wrong clock, other accounts, and reads counters; see control.go.
package simulator
