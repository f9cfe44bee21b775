// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// examplePolicies are files of examples, by what their holders are called. That of Prometheus is one whose token may be stolen.
func examplePolicies() map[string]string {
	return map[string]string{
		"administrator": "policies/administrator.hcl", "operator": "policies/operator.hcl", "application": "policies/application.hcl",
		"auditor": "policies/auditor.hcl", "prometheus": "monitoring/policy.hcl",
	}
}

// policyRow is a request, and who of the holders of the example policies is let through to the engine.
type policyRow struct {
	method, path string
	data         map[string]any
	// may are the policies that allow it; the others get 403.
	may []string
	// coming says that the engine may refuse it: it is checked only who is let through to it.
	coming bool
}

func policyRows() []policyRow {
	administrator, operator := "administrator", "operator"
	application, auditor := "application", "auditor"
	staff := []string{administrator, operator, auditor}
	unset := map[string]any{}
	rows := []policyRow{
		{"PUT", "config/spare", map[string]any{"preset": "einvoice-sandbox", "username": "u", "password": "never-used-password", "verify_connection": false}, []string{administrator}, false},
		{"GET", "config/main", nil, []string{administrator}, false},
		{"PUT", "config/main", map[string]any{"rotation_percent": 60}, []string{administrator}, false},
		{"PUT", "config/main", map[string]any{"paused": false}, []string{administrator, operator}, false},
		{"PUT", "config/main", map[string]any{"pause_reason": "a test"}, []string{administrator, operator}, false},
		{"PUT", "config/main", map[string]any{"paused": false, "rotation_percent": 66}, []string{administrator}, false},
		{"PUT", "config/new", map[string]any{"paused": true}, nil, true}, // an operator may not create, an administrator must say more
		{"DELETE", "config/spare", nil, []string{administrator}, false},
		{"PUT", "role/spare", map[string]any{"config": "main"}, []string{administrator}, false},
		{"GET", "role/billing", nil, []string{administrator}, false},
		{"DELETE", "role/spare", nil, []string{administrator}, false},
		{"GET", "token/billing", nil, []string{application}, false},
		{"PUT", "token/billing", unset, []string{application}, false},
		{"PUT", "token/billing", map[string]any{"rejected_token_id": "0123456789abcdef"}, []string{application}, false},
		{"GET", "token/billing?rejected_token_id=0123456789abcdef", nil, []string{application}, false},
		{"PUT", "rotate/main", unset, []string{operator}, false},
		{"PUT", "revoke/main", map[string]any{"token_id": "0123456789abcdef"}, []string{operator}, false},
		{"GET", "status/main", nil, staff, false},
		{"GET", "preset/einvoice-sandbox", nil, []string{administrator}, false},
		{"LIST", "config", nil, staff, false},
		{"LIST", "role", nil, staff, false},
		{"LIST", "status", nil, staff, false},
		{"LIST", "preset", nil, staff, false},
		{"GET", "ledger/main", nil, []string{operator, auditor}, true},
		{"LIST", "ledger", nil, []string{operator, auditor}, true},
		{"PUT", "lookup", map[string]any{"token_id": "0123456789abcdef"}, []string{operator, auditor}, true},
		{"GET", "metrics", nil, []string{"prometheus"}, false},
		{"PUT", "metrics", unset, nil, false},
		{"GET", "token", nil, nil, false},
		{"LIST", "token", nil, nil, false},
		{"DELETE", "token/billing", nil, nil, false},
	}
	// Roles beside billing, and other spellings of it. Those with percent signs reach Vault as they stand here.
	for _, name := range []string{
		"Billing", "BILLING", "billing2", "billing-admin", "billing.eu", "bill", "other", "billing%20", "billing*",
		"+", "*", "billing%2F..%2Fother", "%2e%2e/token/other", "billing/other",
	} {
		rows = append(rows, policyRow{"GET", "token/" + name, nil, nil, false}, policyRow{"PUT", "token/" + name, unset, nil, false})
	}
	// What a "+" must not reach over.
	for _, path := range []string{"Config/main", "config/main/more", "CONFIG/main", "configs/main", "status/main/more", "Status/main"} {
		rows = append(rows, policyRow{"GET", path, nil, nil, false})
	}
	return rows
}

func TestPolicyExamples_AllowOnlyWhatTheySay(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	for _, role := range []string{"billing", "Billing", "billing2", "billing-admin", "billing.eu", "bill", "other"} {
		w.writeRole(t, role, "main")
	}
	holders := w.policyHolders(t)
	allowed, denied := 0, 0
	for _, row := range policyRows() {
		for policy := range examplePolicies() {
			may := slices.Contains(row.may, policy)
			if row.path == "config/new" && policy == "administrator" {
				continue // is let through, and refused by the engine for what is missing
			}
			response := check.Value(holders[policy].Call(t.Context(), row.method, "mastersindia/"+row.path, row.data))(t)
			// Vault sends the caller to another spelling of the path, which is then judged by itself; OpenBao refuses "..".
			elsewhere := response.Status == http.StatusMovedPermanently || response.Status == http.StatusTemporaryRedirect
			relative := response.Status == http.StatusBadRequest && strings.Contains(response.Said(), "relative paths not supported")
			switch {
			case may && row.coming && response.Status == http.StatusForbidden,
				may && !row.coming && !response.OK():
				t.Errorf("%s may not %s %s: %d: %s", policy, row.method, row.path, response.Status, response.Said())
			case !may && response.Status != http.StatusForbidden && !elsewhere && !relative:
				t.Errorf("%s may %s %s: %d: %s", policy, row.method, row.path, response.Status, response.Said())
			case may:
				allowed++
			default:
				denied++
			}
		}
	}
	// Vault joins the policies of one token, their allowed_parameters too: with all of them it may what one of them allows.
	var each []string
	for policy := range examplePolicies() {
		each = append(each, "-policy="+policy)
	}
	all := w.Caller(w.tokenFor(t, each...))
	for _, row := range policyRows() {
		if len(row.may) > 0 {
			response := check.Value(all.Call(t.Context(), row.method, "mastersindia/"+row.path, row.data))(t)
			check.True(t, response.Status != http.StatusForbidden, "all policies together may not %s %s: %s", row.method, row.path, response.Said())
		}
	}
	for name, holder := range holders {
		response, err := holder.Call(t.Context(), "GET", "sys/mounts", nil)
		check.True(t, err == nil && response.OK() == (name == "operator"),
			"%s and the list of mounts: %d, %v", name, response.Status, err)
	}
	t.Logf("%d policies, %d requests: allowed %d times, denied %d times", len(examplePolicies()), len(policyRows()), allowed, denied)
}

// TestPolicy_UpdateOnlyCannotMovePassword tries every setting by which a login could be led to another host: as
// the operator of the example, and as one whom the policy lets update everything.
func TestPolicy_UpdateOnlyCannotMovePassword(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer elsewhere.Close()
	w.policy(t, "updater", `path "mastersindia/config/main" { capabilities = ["update"] }`)
	callers := map[*harness.Caller]int{
		w.policyHolders(t)["operator"]:                                http.StatusForbidden,
		w.Caller(strings.TrimSpace(w.tokenFor(t, "-policy=updater"))): http.StatusBadRequest,
	}
	before := w.readJSON(t, "read", "-format=json", "mastersindia/config/main").Data
	moves := []map[string]any{
		{"token_url": elsewhere.URL, "allow_http": true},
		{"token_url": elsewhere.URL, "allow_http": true, "verify_connection": false},
		{"token_url": strings.Replace(elsewhere.URL, "http:", "https:", 1)},
		{"refresh_url": elsewhere.URL, "allow_http": true},
		{"proxy_url": elsewhere.URL},
		{"proxy_url": strings.Replace(elsewhere.URL, "http:", "socks5:", 1)},
		{"ca_cert": ""}, {"allow_http": true}, {"preset": "einvoice-sandbox"}, {"protocol": "soap", "client_id": "c", "client_secret": "never-used-secret"},
		{"headers": "Host=" + strings.TrimPrefix(elsewhere.URL, "http://")},
		{"token_url": elsewhere.URL, "allow_http": true, "password": ""},
		{"Token_URL": elsewhere.URL, "Allow_HTTP": true}, {"TOKEN_URL": elsewhere.URL}, {"paused": false, "token_url": elsewhere.URL},
	}
	for caller, want := range callers {
		for _, move := range moves {
			response := check.Value(caller.Call(t.Context(), http.MethodPut, "mastersindia/config/main", move))(t)
			check.True(t, response.Status == want, "%v: want %d, got %d: %s", move, want, response.Status, response.Said())
		}
	}
	w.vault(t, "write", "-f", "mastersindia/rotate/main")
	after := w.readJSON(t, "read", "-format=json", "mastersindia/config/main").Data
	for field, value := range before {
		check.True(t, field == "headers" || field == "refresh_headers" || after[field] == value, "%s has been changed", field)
	}
	check.Equal(t, visits.Load(), 0, "the other host was asked N times")
	w.upstream.wantLogins(t, 2) // of the account, and of the rotation
	t.Logf("%d ways tried by %d callers: nothing moved, %d visits elsewhere", len(moves), len(callers), visits.Load())
}

// policyHolders are callers who have one of the example policies each.
func (w *testVault) policyHolders(t *testing.T) map[string]*harness.Caller {
	t.Helper()
	holders := make(map[string]*harness.Caller)
	for name, file := range examplePolicies() {
		rules := readFile(t, "../examples/"+file)
		w.policy(t, name, string(rules))
		holders[name] = w.Caller(w.tokenFor(t, "-policy="+name))
	}
	return holders
}

func (w *testVault) policy(t *testing.T, name, rules string) string {
	t.Helper()
	check.Value(w.CLI.Must(t.Context(), rules, "policy", "write", name, "-"))(t)
	return name
}

func (w *testVault) tokenFor(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"token", "create", "-field=token"}, args...)
	return strings.TrimSpace(w.vault(t, args...))
}

func TestPolicy_DeniedRoleInAnySpelling(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "other", "main")
	name := w.policy(t, "all-but-app", `
path "mastersindia/token/*"   { capabilities = ["read"] }
path "mastersindia/token/app" { capabilities = ["deny"] }`)
	reader := w.CLI.As(w.tokenFor(t, "-policy="+name))
	_, err := reader.Must(t.Context(), "", "read", "mastersindia/token/other")
	check.True(t, err == nil, "a role that is not denied: %v", err)
	for _, path := range []string{
		"token/app", "token/APP", "token/App", "token/app/", "token//app",
		"token/./app", "token/x/../app", "token/app%20", "token/app.",
	} {
		result := check.Value(reader.Run(t.Context(), "", "read", "mastersindia/"+path))(t)
		check.True(t, result.Code != 0, "vault read mastersindia/%s gave a token to a reader who is denied token/app", path)
	}
}
