// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"vault-plugin-secrets-mastersindia/simulator"
)

// A test serves a simulator, logs in to it, and orders what is to go wrong.
func Example() {
	sim, err := simulator.New(simulator.Options{Accounts: []simulator.Account{
		{Protocol: simulator.JWT, Username: "erp", Password: "invented"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(sim)
	defer server.Close()

	login := func() {
		body := strings.NewReader(`{"username":"erp","password":"invented"}`)
		response, err := server.Client().Post(server.URL+"/api/v1/token-auth/", "application/json", body)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		fmt.Println(response.StatusCode)
	}
	login()
	sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
	login()
	fmt.Println(sim.Counters().Logins, sim.Counters().Of(simulator.JWT, "erp").LoginsOK)

	// Output:
	// 200
	// 206
	// 2 1
}

var _ http.Handler = (*simulator.Simulator)(nil)
