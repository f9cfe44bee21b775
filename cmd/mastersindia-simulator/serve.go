// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// shutdownTimeout is how long requests in flight may take to end. It is more than the five seconds, and a poll, for which
// net/http waits on a connection that was opened and has not been used: such a one is no request that must be cut off.
const shutdownTimeout = 7 * time.Second

// serve runs the simulator until ctx ends.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	accounts, demo, err := loadAccounts(o.accounts)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	sim, err := simulator.New(simulator.Options{Accounts: accounts, OnRequest: requestLogger(log)})
	if err != nil {
		return fmt.Errorf("-accounts: %s: %w", o.accounts, err)
	}
	if err := errors.Join(checkOutput("-ready-file", o.readyFile, isReady),
		checkOutput("-tls-ca-out", o.tlsCAOut, simulator.IsCACert)); err != nil {
		return err
	}
	// A file left behind by a run that was killed would have a wrong address.
	if err := removeFile(o.readyFile); err != nil {
		return err
	}
	where, listeners, err := listen(ctx, o)
	if err != nil {
		return err
	}
	server := newServer(ctx, o, sim, log)
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(l) }()
	}
	err = announce(o, where, accounts, demo, stdout)
	running := len(listeners)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-ended:
			running--
		}
	}
	cancel() // requests that a slow fault holds are dropped now
	err = errors.Join(err, shutdown(context.WithoutCancel(ctx), server), removeFile(o.readyFile))
	for range running {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// loadAccounts reads the accounts; demo is set for the built-in ones, whose secrets may be shown.
func loadAccounts(path string) (accounts []simulator.Account, demo bool, err error) {
	if path == "" {
		return simulator.DemoAccounts(), true, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false, fmt.Errorf("-accounts: %w", err)
	}
	accounts, err = simulator.ParseAccounts(data)
	if err != nil {
		return nil, false, fmt.Errorf("-accounts: %s: %w", path, err)
	}
	return accounts, false, nil
}

// requestLogger logs one line a request. What it is given holds no secret and no token.
func requestLogger(log *slog.Logger) func(simulator.RequestInfo) {
	return func(info simulator.RequestInfo) {
		status := any(info.Status)
		if info.Status == 0 {
			status = "dropped"
		}
		account := info.Account
		if account == "" {
			account = "-"
		}
		log.Info("request", "method", info.Method, "path", info.Path, "status", status,
			"account", account, "duration", info.Duration.Round(time.Microsecond))
	}
}

// addresses are where the simulator serves.
type addresses struct {
	HTTP  string `json:"http,omitempty"`
	HTTPS string `json:"https,omitempty"`
	ca    []byte // PEM
}

// listen opens the ports. On an error nothing stays open.
func listen(ctx context.Context, o options) (addresses, []net.Listener, error) {
	var where addresses
	var open []net.Listener
	fail := func(err error) (addresses, []net.Listener, error) {
		for _, l := range open {
			_ = l.Close()
		}
		return addresses{}, nil, err
	}
	if o.listen != "" {
		l, err := listenLoopback(ctx, "-listen", o.listen)
		if err != nil {
			return fail(err)
		}
		open = append(open, l)
		where.HTTP = "http://" + l.Addr().String()
	}
	if o.tlsListen != "" {
		l, err := listenLoopback(ctx, "-tls-listen", o.tlsListen)
		if err != nil {
			return fail(err)
		}
		open = append(open, l)
		where.HTTPS = "https://" + l.Addr().String()
		ca, config, err := newTLS(o)
		if err != nil {
			return fail(err)
		}
		where.ca = ca
		open[len(open)-1] = tls.NewListener(l, config)
	}
	return where, open, nil
}

// listenLoopback looks at the address again after it was resolved: nothing keeps localhost from being another machine.
func listenLoopback(ctx context.Context, flagName, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flagName, err)
	}
	if err := checkLoopback(flagName, l.Addr().String()); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func newTLS(o options) (ca []byte, config *tls.Config, err error) {
	authority, err := simulator.NewCA()
	if err != nil {
		return nil, nil, err
	}
	if config, err = authority.ServerTLS(); err != nil {
		return nil, nil, err
	}
	if o.http2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	return authority.CertPEM(), config, nil
}

func newServer(ctx context.Context, o options, sim *simulator.Simulator, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(o.http2) // see simulator.CA.ServerTLS
	return &http.Server{
		Handler:           sim,
		ConnContext:       sim.ConnContext,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}

// shutdown lets requests in flight end, and cuts off those that do not.
func shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// announce writes the files and the words that say where the simulator is; the ready file last, since scripts wait for it.
func announce(o options, where addresses, accounts []simulator.Account, demo bool, stdout io.Writer) error {
	if o.tlsCAOut != "" {
		if err := writeFile(o.tlsCAOut, where.ca); err != nil {
			return fmt.Errorf("-tls-ca-out: %w", err)
		}
	}
	if _, err := io.WriteString(stdout, banner(o, where, accounts, demo)); err != nil {
		return err
	}
	return writeReady(o.readyFile, where)
}
