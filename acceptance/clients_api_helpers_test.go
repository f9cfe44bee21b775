// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// invoice is what the clients send: an e-invoice as far as the simulator reads one, with what a careless client would change.
const invoice = ` { "user_gstin": "29ABCDE1234F2Z5", "value": 100.10, "remarks": "50 % \"off\" € \\ line\nline" }`

// namesOfIndia are in no character set but Unicode.
const namesOfIndia = "राम ट्रेडर्स ₹"

// invoiceInFile has a character as well that some make of what is not UTF-8.
func invoiceInFile() string { return strings.Replace(invoice, "€", "€\ufffd", 1) }

// testAPI is an API in front of upstream's: it passes each call on, and its paths say what goes wrong before.
type testAPI struct {
	client *exampleClient
	url    string

	mu      sync.Mutex
	ids     []string // of the tokens of the calls
	refused int
	once    map[string]bool // what has gone wrong once
	last    http.Header

	hanging chan struct{} // is sent to when a call has come that is not answered
}

func (p *testAPI) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids, p.last = append(p.ids, tokenID(tokenOf(r, body))), r.Header
	path := r.URL.RequestURI()
	if strings.Count(path, "/") == 1 && path != "/generateEinvoice" || strings.HasPrefix(path, "/forbidden") {
		if p.goesWrong(rw, r, path) {
			return
		}
		path = "/api/v1/einvoice/"
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || string(body) != invoice && string(body) != invoiceInFile() {
			http.Error(rw, "the invoice has not arrived as it was sent", http.StatusUnprocessableEntity)
			return
		}
	}
	if r.Header.Get("X-Vault-Token") != "" {
		http.Error(rw, "a Vault token was sent to the API", http.StatusUnprocessableEntity)
		return
	}
	p.passOn(rw, r, path, body)
}

// tokenOf is the token of a call, wherever its host wants it.
func tokenOf(r *http.Request, body []byte) string {
	if _, token, found := strings.Cut(r.Header.Get("Authorization"), " "); found {
		return token
	}
	var object struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(body, &object) // what is no JSON has no token
	return object.Token
}

// goesWrong does what the path says, and reports whether that was all.
func (p *testAPI) goesWrong(rw http.ResponseWriter, r *http.Request, path string) bool {
	ctx := r.Context()
	first := !p.once[path]
	p.once[path] = true
	switch {
	case strings.HasPrefix(path, "/forbidden"):
		rw.WriteHeader(http.StatusForbidden)
	case path == "/cut":
		_, _ = io.WriteString(rw, `{"results":`)   // the client says whether it arrived
		_ = http.NewResponseController(rw).Flush() // as above
		panic(http.ErrAbortHandler)                // closes the connection
	case path == "/empty":
		rw.WriteHeader(http.StatusOK)
	case path == "/garbled":
		_, _ = io.WriteString(rw, `{"results":`) // as above
	case path == "/dropped":
		panic(http.ErrAbortHandler)
	case path == "/hanging":
		p.hanging <- struct{}{}
		<-ctx.Done() // until the client has gone
	case path == "/late":
		p.hanging <- struct{}{}
		<-time.After(time.Second)
		return false
	case path == "/large": // more than fits into a pipe
		_, _ = io.WriteString(rw, `["`+strings.Repeat("x", 1<<20)+`"]`) // as above
		if first {
			time.AfterFunc(2*time.Second, func() { p.hanging <- struct{}{} })
		}
	case path == "/echo": // as an API that says what it does not like
		rw.WriteHeader(http.StatusInternalServerError)
		_ = r.Header.Write(rw) // as above
	case path == "/half" || path == "/names":
		_, _ = io.WriteString(rw, map[string]string{
			"/half":  `{"results":{"status":"Success","Irn":"0123","eway":{"error":"invalid access token"}}}`,
			"/names": `{"results":{"status":"Success","name":"` + namesOfIndia + `"}}`,
		}[path]) // as above
	case path == "/charset": // as no runtime knows it
		rw.Header().Set("Content-Type", "application/json; charset=utf8")
		_, _ = io.WriteString(rw, `{"results":{"status":"Success"}}`) // as above
	case path == "/length":
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n") // as above
			_ = conn.Close()
		}
	case path == "/hints":
		rw.WriteHeader(http.StatusEarlyHints)
		return false
	case path == "/storing":
		http.Error(rw, `{"error":true,"message":"could not store the access token"}`, http.StatusInternalServerError)
	case path == "/gateway":
		rw.WriteHeader(http.StatusGatewayTimeout)
	case path == "/timeout": // as Envoy has it where the server behind it is slow
		http.Error(rw, `{"error":"timed out while the access token was checked"}`, http.StatusRequestTimeout)
	case path == "/moved": // a client that follows sends the token along
		rw.Header().Set("Location", p.url+"/accepted?key=of-the-query")
		rw.WriteHeader(http.StatusTemporaryRedirect)
	case path == "/misspelt":
		http.Error(rw, `{"detail":"Invalid Product"}`, http.StatusUnauthorized)
	case path == "/revoked" && first, path == "/worded" && first:
		if _, err := p.client.CLI.Must(ctx, "", "write", "-f", "mastersindia/revoke/"+p.client.name); err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return true
		}
		if path == "/worded" { // as the verification API says it
			_, _ = io.WriteString(rw, `{"error":true,"message":"Invalid access token","data":""}`)
			return true
		}
		rw.WriteHeader(http.StatusUnauthorized)
	case path == "/revoked", path == "/never":
		http.Error(rw, `{"detail":"the user is disabled"}`, http.StatusUnauthorized)
	case path == "/slow":
		<-time.After(exampleLease + time.Second)
		return false
	case path == "/killed" && first:
		p.client.upstream.KillTokens(simulator.JWT, p.client.account.Name())
		return false
	default:
		return false
	}
	return true
}

func (p *testAPI) passOn(rw http.ResponseWriter, r *http.Request, path string, body []byte) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.client.upstream.url+path, bytes.NewReader(body)) //nolint:gosec // to the simulator
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	request.Header = r.Header.Clone()
	response, err := p.client.upstream.client.Do(request) //nolint:gosec // to the simulator
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized {
		p.refused++
	}
	rw.WriteHeader(response.StatusCode)
	_, _ = io.Copy(rw, response.Body) // a client that has gone shows in its own output
}

// interruptHanging runs a client, and interrupts it when a call of it hangs. Where this test itself was started without Ctrl-C, as
// in the background of a script, the client has it nevertheless.
func (p *testAPI) interruptHanging(ctx context.Context, client *exec.Cmd, interrupt func()) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	client.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := client.Start()
	signal.Stop(interrupts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.hanging:
			interrupt() // what it did shows in its output
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()
	return client.Wait()
}

// tokenID names a token as the engine does.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])[:16]
}

// forget starts the counts anew.
func (p *testAPI) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids, p.refused, p.once = nil, 0, make(map[string]bool)
}

func (p *testAPI) tokenIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.ids...)
}

func (p *testAPI) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *testAPI) lastHeader() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}
