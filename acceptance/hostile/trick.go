// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
)

// Speech is the protocol of a trick.
type Speech int

// The languages of a server.
const (
	// Plain is HTTP/1.1 without TLS.
	Plain Speech = iota
	// TLS is HTTP/1.1 over TLS.
	TLS
	// HTTP2 is HTTP/2 over TLS.
	HTTP2
)

// The kinds of failure, as status/ shows them.
const (
	unavailable = "unavailable"
	malformed   = "malformed"
	throttled   = "throttled"
	rejected    = "rejected"
	invalid     = "invalid"
)

const (
	// floodGrowth is for what is cut off: at most a MiB of it is read.
	floodGrowth = 16 << 20
	// parsedGrowth is for what is read and taken apart: a MiB of JSON that says nothing with many words becomes a multiple.
	parsedGrowth = 64 << 20
)

// growthOf is the Growth of a response with that body, if it is a large one.
func growthOf(body string) int64 {
	if len(body) < mebibyte/2 {
		return 0
	}
	return parsedGrowth
}

// unspeakable is a token that comes in a way in which none should: no message may hold it.
const unspeakable = "unspeakable0token0unspeakable0token0unsp"

// Trick is one way to do harm, and what the engine must make of it.
type Trick struct {
	Name   string
	Speaks Speech
	// SOAP says that the account's protocol is soap; else it is jwt.
	SOAP bool
	// Kind is what the failure must be sorted as; empty for a login that must succeed.
	Kind string
	// Code is the HTTP status that the reader must get.
	Code int
	// Unheard says that the credentials must not be sent.
	Unheard bool
	// Growth is by how much the heap may grow over it, in bytes, the server's part included; 0 where memory is not what it is about.
	Growth int64

	// response plays the trick once the request was read; raw plays it on a connection that has just come, before any TLS; frames
	// plays it in HTTP/2, on the stream of the request, and greet takes the place of the server's first frame; tls changes the
	// server's TLS.
	response func(*Visit)
	raw      func(*Visit)
	greet    func(*Visit)
	frames   func(v *Visit, stream uint32)
	tls      func(*Server, *tls.Config) error
}

// Tricks are all tricks that are known.
func Tricks() []Trick {
	return slices.Concat(
		endlessTricks(), redirectTricks(), brokenTricks(), jsonTricks(), xmlTricks(), limitTricks(), tlsTricks(), http2Tricks(),
	)
}

// bad is not understood, gone breaks off, and late never comes to an end, nor does it tell that it will not.
func bad(name string, response func(*Visit)) Trick {
	return Trick{Name: name, Kind: malformed, Code: http.StatusBadGateway, response: response}
}

func gone(name string, response func(*Visit)) Trick {
	return Trick{Name: name, Kind: unavailable, Code: http.StatusBadGateway, response: response}
}

func late(name string, response func(*Visit)) Trick {
	return Trick{Name: name, Kind: unavailable, Code: http.StatusGatewayTimeout, response: response}
}

func (t *Trick) path() string {
	if t.SOAP {
		return "/api.einvoice.php"
	}
	return "/api/v1/token-auth/"
}

func (t *Trick) mediaType() string {
	if t.SOAP {
		return "text/xml"
	}
	return "application/json"
}

// tokenResponse is the body with which the account's protocol gives a token of an hour.
func (t *Trick) tokenResponse(token string) string {
	if t.SOAP {
		return soapToken("", token)
	}
	return fmt.Sprintf(`{"token":%q,"expires_in":3600}`, token)
}

// soapToken is a SOAP response with something before its root.
func soapToken(prolog, token string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + prolog +
		`<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body>` +
		`<ns1:access_new_tokenResponse xmlns:ns1="urn:server"><access_token>` + token + `</access_token>` +
		`<expires_in>3600</expires_in><error_description/></ns1:access_new_tokenResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>`
}
