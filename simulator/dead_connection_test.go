// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestStall_LastsAsLongAsTheConnection orders one stall. The connection that it hits gets no further response; a new one does.
func TestStall_LastsAsLongAsTheConnection(t *testing.T) {
	t.Parallel()
	for _, speaks := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(speaks, func(t *testing.T) {
			t.Parallel()
			a := account(simulator.JWT, nil)
			sim := check.Value(simulator.New(simulator.Options{Accounts: []simulator.Account{a}}))(t)
			server := httptest.NewUnstartedServer(sim)
			server.Config.ConnContext = sim.ConnContext
			server.EnableHTTP2 = speaks == "HTTP/2.0"
			server.StartTLS()
			t.Cleanup(server.Close)
			client := server.Client()
			const patience = time.Second // for what never comes
			login := func(client *http.Client, limit time.Duration) error {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				path, body, header := loginRequest(a)
				request := check.Value(http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader(body)))(t)
				request.Header.Set(header[0], header[1])
				response, err := client.Do(request)
				if err != nil {
					return err
				}
				check.Equal(t, response.Proto, speaks, "spoke")
				return response.Body.Close()
			}
			sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultStall, Remaining: 1})
			if err := login(client, patience); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("the login that stalls: %v", err)
			}
			// net/http drops an HTTP/1.1 connection after that, and keeps one of HTTP/2.
			keeps, limit := speaks == "HTTP/2.0", time.Minute
			if keeps {
				limit = patience
			}
			if err := login(client, limit); errors.Is(err, context.DeadlineExceeded) != keeps {
				t.Errorf("the next login: %v", err)
			}
			client.CloseIdleConnections()
			fresh := &http.Client{Transport: client.Transport.(*http.Transport).Clone()}
			t.Cleanup(fresh.CloseIdleConnections)
			if err := login(fresh, time.Minute); err != nil {
				t.Errorf("a login on a new connection: %v", err)
			}
		})
	}
}
