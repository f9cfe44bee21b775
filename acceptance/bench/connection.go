// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/bench/results"
)

// connection is a client with one connection. It costs less than net/http's, which on few cores would be measured as well.
type connection struct {
	net.Conn

	reader *bufio.Reader
}

// dial opens a connection that ends with the context.
func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &connection{conn, bufio.NewReaderSize(conn, 16<<10)}, nil
}

// getRequest is a request as it goes over the wire.
func getRequest(address, token, path string) []byte {
	return fmt.Appendf(nil, "GET /v1/%s HTTP/1.1\r\nHost: %s\r\nX-Vault-Token: %s\r\nX-Vault-Request: true\r\n\r\n",
		path, address, token)
}

// get sends a request whose answer must be 200.
func (c *connection) get(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		const most = 300
		text, _ := io.ReadAll(io.LimitReader(response.Body, most))
		return fmt.Errorf("a read was answered with HTTP %d: %s", response.StatusCode, strings.TrimSpace(string(text)))
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// warmUp is the part of a load that is not measured.
const warmUp = 150 * time.Millisecond

type sample struct {
	// latencies are those of the requests sent at these times.
	latencies []time.Duration
	sent      []time.Time
	took      time.Duration
	// all counts the requests of the warming up as well.
	all int
}

func (s *sample) add(o sample) {
	s.latencies = append(s.latencies, o.latencies...)
	s.sent = append(s.sent, o.sent...)
	s.took += o.took
	s.all += o.all
}

func (s *sample) load() results.Load { return results.LoadOf(slices.Clone(s.latencies), s.took) }

// load has clients read, each with a token and a connection of its own, and each the next path when the last was answered.
func load(
	ctx context.Context, address string, tokens []string, d time.Duration, path func(client, n int) string,
) (measured sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, warmUp+d+time.Minute)
	defer cancel()
	var (
		clients sync.WaitGroup
		from    = time.Now().Add(warmUp)
		to      = from.Add(d)
		samples = make([]sample, len(tokens))
		errs    = make([]error, len(tokens))
	)
	for client, token := range tokens {
		clients.Go(func() {
			paths := func(n int) string { return path(client, n) }
			samples[client], errs[client] = loadOne(ctx, address, token, from, to, paths)
		})
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		return measured, err
	}
	for _, s := range samples {
		took := max(measured.took, s.took)
		measured.add(s)
		measured.took = took // they ran at the same time
	}
	return measured, nil
}

// loadOne is one client of load: it measures what it sends from one moment to another.
func loadOne(ctx context.Context, address, token string, from, to time.Time, path func(n int) string) (s sample, err error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return s, err
	}
	defer func() { _ = conn.Close() }()
	var request []byte
	last := ""
	now := time.Now()
	for now.Before(to) {
		if p := path(s.all); p != last {
			request, last = getRequest(address, token, p), p
		}
		sent := now
		if err := conn.get(request); err != nil {
			return s, err
		}
		now = time.Now()
		s.all++
		if !sent.Before(from) {
			s.latencies, s.sent = append(s.latencies, now.Sub(sent)), append(s.sent, sent)
		}
	}
	s.took = now.Sub(from)
	return s, nil
}
