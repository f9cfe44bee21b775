// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// request is one request as the upstream got it.
type request struct {
	method string
	url    string // with the host
	header http.Header
	body   string
	answer string // what the upstream answered, as far as it did
}

// whole is all of the request, to look for something in it.
func (r request) whole() string {
	var b strings.Builder
	_ = r.header.Write(&b) // a strings.Builder does not fail
	return r.method + " " + r.url + "\n" + b.String() + "\n" + r.body
}

// ear hears every request and hands it on to the upstream.
type ear struct {
	upstream http.Handler
	tls      *tls.Config // nil for plain HTTP

	mu    sync.Mutex
	heard []request
}

func (e *ear) listen(l net.Listener) net.Listener {
	if e.tls == nil {
		return l
	}
	return tls.NewListener(patientListener{l}, e.tls)
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e.mu.Lock()
	n := len(e.heard)
	e.heard = append(e.heard, request{
		method: r.Method, url: "http://" + r.Host + r.URL.RequestURI(), header: r.Header.Clone(), body: string(body),
	})
	e.mu.Unlock()
	answer := &heardAnswer{ResponseWriter: w}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard[n].answer = answer.body.String()
	}()
	e.upstream.ServeHTTP(answer, r)
}

// heardAnswer keeps a copy of an answer's body.
type heardAnswer struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (a *heardAnswer) Write(b []byte) (int, error) {
	a.body.Write(b)
	return a.ResponseWriter.Write(b)
}

// Unwrap lets the simulator drop the connection.
func (a *heardAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// requests gives all that was heard so far.
func (e *ear) requests() []request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]request(nil), e.heard...)
}
