// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is the largest request that is read.
const maxBody = 1 << 20

// exchange is one request and its one response.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	clock func() time.Time

	body    []byte
	account accountKey // where the request named an account that exists
	// stranger is the account of a token that came to another protocol's endpoint.
	stranger accountKey
	status   int  // 0 until the response is sent
	cut      bool // the response breaks off half-way: see FaultCut
	wrapped  bool // see Account.BusinessEnvelope
	latin1   bool // see Account.Latin1
}

// readBody reads the whole request first: net/http notices that a client has gone only after that, and faults must notice.
func (ex *exchange) readBody() bool {
	body, err := io.ReadAll(http.MaxBytesReader(ex.w, ex.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		ex.text(http.StatusRequestEntityTooLarge, "simulated: the request is too large\n")
		return false
	}
	if err != nil {
		ex.drop() // the client broke off
		return false
	}
	ex.body = body
	return true
}

// reply sends the response. All responses go through it, so that all have the simulator's Date.
func (ex *exchange) reply(status int, contentType string, body []byte) {
	ex.status = status
	header := ex.w.Header()
	header.Set("Date", ex.clock().UTC().Format(http.TimeFormat))
	header.Set("Server", "mastersindia-simulator")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if ex.cut {
		body = body[:len(body)/2] // net/http closes the connection when less came than was declared
	}
	ex.w.WriteHeader(status)
	_, _ = ex.w.Write(body) // a client that has gone cannot get an error
}

// json sends a value as JSON.
func (ex *exchange) json(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		ex.internal(err)
		return
	}
	if ex.wrapped {
		status, body = enveloped(status, body)
	}
	ex.reply(status, "application/json", body)
}

// text sends plain text of the simulator's own, not of a vendor's.
func (ex *exchange) text(status int, text string) {
	ex.reply(status, "text/plain; charset=utf-8", []byte(text))
}

// internal says that the simulator itself failed.
func (ex *exchange) internal(err error) {
	ex.text(http.StatusInternalServerError, "simulated: the simulator failed: "+err.Error()+"\n")
}

// drop closes the connection without a response. Where the connection is not ours to close (HTTP/2, a recorder in a test) the
// response is a 503 that says so.
func (ex *exchange) drop() {
	conn, _, err := http.NewResponseController(ex.w).Hijack()
	if err != nil {
		ex.text(http.StatusServiceUnavailable, "simulated: this connection cannot be dropped; use HTTP/1.1\n")
		return
	}
	_ = conn.Close() // it is to be broken: how does not matter
}

// wait sleeps for d, or until the client has gone: then it returns false.
func (ex *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ex.r.Context().Done():
		return false
	}
}

// xmlText escapes text for use inside an element.
func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	return b.String()
}
