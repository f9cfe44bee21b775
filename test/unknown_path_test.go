// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestUnknownPath_NamesProbablePath(t *testing.T) {
	type testCase struct {
		op     logical.Operation
		path   string
		status int
		says   string
	}
	eachOf(t, []testCase{
		{logical.ReadOperation, "tokens/app", http.StatusBadRequest, "did you mean vault read mastersindia/token/app?"},
		{logical.ReadOperation, "tokens", http.StatusBadRequest, "did you mean vault read mastersindia/token/<name>?"},
		{logical.UpdateOperation, "roles/app", http.StatusBadRequest, "did you mean vault write mastersindia/role/app ...?"},
		{logical.ListOperation, "configs/", http.StatusBadRequest, "did you mean vault list mastersindia/config?"},
		{logical.ReadOperation, "lookup/app", http.StatusBadRequest, "did you mean vault write mastersindia/lookup token=-?"},
		{logical.ReadOperation, "creds/app", http.StatusBadRequest, "role, rotate, status, token: see vault path-help mastersindia/"},
		{logical.ReadOperation, "config", http.StatusBadRequest, "name is missing: vault read mastersindia/config/<name>"},
		{logical.ReadOperation, "config/", http.StatusBadRequest, "to list the names: vault list mastersindia/config"},
		{logical.ReadOperation, "token/", http.StatusBadRequest, "to list the names: vault list mastersindia/role"},
		{logical.UpdateOperation, "rotate/", http.StatusBadRequest, "name is missing: vault write -f mastersindia/rotate/<name>"},
		{logical.DeleteOperation, "config/", http.StatusBadRequest, "name is missing: vault delete mastersindia/config/<name>"},
		{logical.ReadOperation, "rotate/gst", http.StatusMethodNotAllowed, "cannot be read: use vault write -f mastersindia/rotate/gst"},
		{logical.ReadOperation, "lookup", http.StatusMethodNotAllowed, "cannot be read: use vault write mastersindia/lookup token=-"},
		{logical.UpdateOperation, "metrics", http.StatusMethodNotAllowed, "use vault read -format=raw mastersindia/metrics"},
		{logical.UpdateOperation, "status/gst", http.StatusMethodNotAllowed, "cannot be written: use vault read mastersindia/status/gst"},
		{logical.DeleteOperation, "token/app", http.StatusMethodNotAllowed, "cannot be deleted: use vault write mastersindia/revoke/<name> token_id=<token_id>"},
		{logical.PatchOperation, "config/gst", http.StatusMethodNotAllowed, "cannot be patched: use vault write mastersindia/config/gst ..."},
		{logical.ListOperation, "config/gst/", http.StatusMethodNotAllowed, "cannot be listed: use vault list mastersindia/config"},
		{logical.ListOperation, "token/", http.StatusMethodNotAllowed, "cannot be listed: use vault list mastersindia/role"},
		{logical.ListOperation, "", http.StatusBadRequest, "role, rotate, status, token: see vault path-help mastersindia/"},
		{logical.ReadOperation, "", http.StatusBadRequest, "role, rotate, status, token: see vault path-help mastersindia/"},
		{logical.HelpOperation, "configs", http.StatusBadRequest, "did you mean vault path-help mastersindia/config/x?"},
		{logical.HelpOperation, "configs/gst", http.StatusBadRequest, "did you mean vault path-help mastersindia/config/gst?"},
		{logical.HelpOperation, "creds/app", http.StatusBadRequest, "role, rotate, status, token: see vault path-help mastersindia/"},
		{logical.HelpOperation, "lookup/app", http.StatusBadRequest, "did you mean vault path-help mastersindia/lookup?"},
		{logical.HelpOperation, "token", http.StatusBadRequest, "name is missing: vault path-help mastersindia/token/x"},
		{logical.HelpOperation, "config/<name>", http.StatusBadRequest, "and have no two dots in a row"},
		{logical.ReadOperation, "rotate/a b", http.StatusMethodNotAllowed, "use vault write -f mastersindia/rotate/<name>"},
	}, func(t *testing.T, wrong testCase) {
		w := jwtV1().mounted(t)
		r := w.refusal(wrong.op, wrong.path, nil)
		check.True(t, wrong.op != logical.HelpOperation || r.coded,
			"%q is no bare logical.CodedError: Vault shows nothing of any other response to path-help", r.message)
		check.True(t,
			r.status == wrong.status && (strings.HasSuffix(r.message, wrong.says) || strings.Contains(r.message, wrong.says+";")),
			"returned %d: %s\nwant %d: ... %s", r.status, r.message, wrong.status, wrong.says)
	})
}

// Parameters of a read, a list and a deletion are in the URL, which Vault's audit log has in the clear.
func TestUnknownPath_SecretInAddressIsSaidToBeLogged(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		const logged = "; what was given is in the address of this request, and so in Vault's audit log now"
		const shown = "; what was given is in Vault's audit log now, if the mount is tuned to show it"
		long := strings.Repeat("canary", 25)
		for _, c := range []struct {
			op           logical.Operation
			path         string
			param, value string
			status       int
			says         bool
		}{
			{logical.ReadOperation, "lookup", "token", "canary", 405, true},
			{logical.ReadOperation, "lookup", "token_id", "canary", 405, false},
			{logical.ReadOperation, "lookup", "token_id", long, 405, true},
			{logical.ReadOperation, "ledger/gst", "token", "canary", 400, true},
			{logical.ReadOperation, "config/gst", "password", "canary", 400, true},
			{logical.ReadOperation, "status/gst", "-format", "json", 400, false},
			{logical.ReadOperation, "token/app", "rejected_token_id", long, 400, true},
			{logical.UpdateOperation, "token/app", "rejected_token_id", long, 400, false},
			{logical.ListOperation, "config/", "key", long, 400, true},
			{logical.DeleteOperation, "role/app", "client_secret", "canary", 400, true},
			{logical.UpdateOperation, "revoke/gst", "token_id", long, 400, false},
			{logical.UpdateOperation, "revoke/" + long, "token_id", "0123456789abcdef", 400, true},
			{logical.UpdateOperation, "lookup/" + long, "x", "y", 400, true},
			{logical.ReadOperation, "token/" + long, "", "", 400, true},
			{logical.ReadOperation, "lookup/" + strings.Repeat("0a1b", 10), "", "", 400, true},
			{logical.ReadOperation, "token/" + strings.Repeat("0a1b", 10), "", "", 400, true},
		} {
			data := map[string]any{c.param: c.value}
			if c.param == "" {
				data = nil
			}
			r := w.refusal(c.op, c.path, data)
			w.hides(r.message, "canary")
			check.True(t, r.status == c.status && strings.HasSuffix(r.message, logged) == c.says, "%s %s %s: %v", c.op, c.path, c.param, r)
		}
		for path, param := range map[string]string{"lookup": "token_id", "revoke/gst": "token_id", "token/app": "rejected_token_id"} {
			for value, says := range map[string]bool{long: true, long + "\n": true, "not-an-id": false, "0123456789abcdeg\n": false} {
				r := w.refusal(logical.UpdateOperation, path, map[string]any{param: value})
				w.hides(r.message, "canary")
				check.True(t, r.status == 400 && strings.HasSuffix(r.message, shown) == says, "write %s %s=%q: %v", path, param, value, r)
			}
		}
	})
}

// TestUnknownPath_SuggestedPathExists follows the commands that are in such messages.
func TestUnknownPath_SuggestedPathExists(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		shown := 0
		for path := range w.document().Paths {
			misspelt := strings.Replace(example(path), "/", "s/", 1)
			for _, asked := range []string{example(path), misspelt, strings.TrimSuffix(example(path), "gst"), example(path) + "/"} {
				for _, op := range []logical.Operation{
					logical.ReadOperation, logical.ListOperation, logical.UpdateOperation, logical.DeleteOperation, logical.PatchOperation,
				} {
					resp, err := w.do(t.Context(), op, asked, nil)
					r, refused := asRefusal(resp, err)
					if !refused {
						continue
					}
					for _, command := range regexp.MustCompile(
						`vault (read|write|list|delete) (?:-f )?(?:-format=raw )?mastersindia/([\w/<>]+)`).FindAllStringSubmatch(r.message, -1) {
						shown++
						does := map[string]logical.Operation{
							"read": logical.ReadOperation, "write": logical.UpdateOperation, "list": logical.ListOperation,
							"delete": logical.DeleteOperation,
						}[command[1]]
						to := strings.ReplaceAll(command[2], "<name>", "gst")
						if does == logical.ListOperation {
							to += "/"
						}
						if path := declared(w.Backend(), to); path == nil || path.Operations[does] == nil {
							t.Errorf("%s %s: there is no %s", op, asked, command[0])
						}
					}
				}
			}
		}
		check.True(t, shown >= 100, "only %d commands were shown", shown)
	})
}

// A path without names is not one with an empty name. The vault command would hide a 404.
func TestUnknownPath_SlashAtTheEnd(t *testing.T) {
	eachNamed(t, map[string]logical.Operation{"metrics/": logical.ReadOperation, "lookup/": logical.UpdateOperation}, func(t *testing.T, path string, op logical.Operation) {
		w := jwtV1().mounted(t)
		r := w.refusal(op, path, nil)
		check.True(t, r.status == http.StatusBadRequest && strings.Contains(r.message, "vault "),
			"returned %d: %s\nwant 400 with the command that was probably meant", r.status, r.message)
	})
}

// A caller in the mount's namespace types its path without it. Vault passes that header on only where the mount allows it.
func TestAdvice_LeavesNamespaceOut(t *testing.T) {
	type testCase struct{ header, want string }
	each(t, map[string]testCase{
		"none":    {"", "vault read team/north/mastersindia/token/app?"},
		"whole":   {"team/north", "vault read mastersindia/token/app?"},
		"slashes": {"/team/north/", "vault read mastersindia/token/app?"},
		"outer":   {"team", "vault read north/mastersindia/token/app?"},
		"other":   {"tea", "vault read team/north/mastersindia/token/app?"},
		"mount":   {"team/north/mastersindia", "vault read team/north/mastersindia/token/app?"},
	}, func(t *testing.T, c testCase) {
		w := jwtV1().mounted(t)
		req := &logical.Request{Operation: logical.ReadOperation, Path: "tokens/app", MountPoint: "team/north/mastersindia/"}
		if c.header != "" {
			req.Headers = map[string][]string{"X-Vault-Namespace": {c.header}}
		}
		resp, err := w.Backend().HandleRequest(t.Context(), req)
		check.True(t, err == nil && resp.IsError() && strings.Contains(resp.Error().Error(), c.want), "%v %v: no %s", resp, err, c.want)
	})
}
