package mastersindia_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"vault-plugin-secrets-mastersindia/simulator"
)

func dump(t *testing.T, s logical.Storage) {
	keys, _ := logical.CollectKeys(context.Background(), s)
	for _, k := range keys {
		e, _ := s.Get(context.Background(), k)
		t.Logf("  %s (%v) = %s", k, e.SealWrap, e.Value)
	}
}

func TestExplore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, append(simulator.DemoAccounts(), jwtAccount())...)
		show := func(op logical.Operation, path string, data map[string]any) {
			resp, err := w.do(t.Context(), op, path, data)
			if err != nil {
				t.Logf("%s %s %v -> ERR %T %v", op, path, data, err, err)
				return
			}
			if resp == nil {
				t.Logf("%s %s %v -> nil", op, path, data)
				return
			}
			j, jerr := json.MarshalIndent(resp.Data, "  ", " ")
			t.Logf("%s %s %v -> secret=%+v warn=%v hdr=%v\n  %s %v", op, path, data, resp.Secret, resp.Warnings, resp.Headers, j, jerr)
		}
		show("update", "config/gst", jwtConfig())
		dump(t, w.storage)
		show("read", "config/gst", nil)
		show("update", "role/app", map[string]any{"config": "gst"})
		show("read", "role/app", nil)
		show("read", "token/app", nil)
		show("read", "status/gst", nil)
		show("list", "config/", nil)
		show("list", "role/", nil)
		show("list", "status/", nil)
		show("list", "preset/", nil)
		for _, p := range []string{"einvoice-sandbox", "einvoice-production", "eway-production", "eway-sandbox", "platform-production", "ksa-qa", "einvoice-soap-staging", "oauth-sandbox", "oauth-production", "oauth-verification", "firstvision-sandbox"} {
			show("read", "preset/"+p, nil)
		}
		for _, p := range []string{"config/nope", "role/nope", "status/nope", "preset/nope", "token/nope", "ledger/nope"} {
			show("read", p, nil)
		}
		show("update", "rotate/gst", nil)
		show("update", "revoke/gst", nil)
		show("update", "rotate/nope", nil)
		show("update", "revoke/nope", nil)
		show("update", "lookup", map[string]any{"token_id": "0000000000000000"})
		show("read", "metrics", nil)
		dump(t, w.storage)
		show("update", "config/bad", jwtConfig("password", "wrong-canary"))
		show("update", "config/bad", jwtConfig("password", "wrong-canary"))
		dump(t, w.storage)
		show("update", "config/bad", jwtConfig("password", 5))
		show("update", "config/bad", jwtConfig("password", nil))
		show("update", "config/bad", jwtConfig("password", "x\n"))
		show("update", "config/bad", jwtConfig("nope", "x\n"))
		show("update", "config/bad", jwtConfig("request_timeout", "1.5s"))
		show("update", "config/bad", jwtConfig("request_timeout", 1.5))
		show("update", "config/bad", jwtConfig("request_timeout", "61s"))
		show("update", "config/bad", jwtConfig("headers", "Host=abc"))
		show("update", "config/bad", jwtConfig("headers", map[string]any{"Host": "abc"}))
		show("update", "config/bad", jwtConfig("token_url", "http://us:pw@upstream.test/"))
		show("update", "config/-a", jwtConfig())
		show("update", "config/a/b", jwtConfig())
		show("update", "config/", jwtConfig())
		show("update", "config/a b", jwtConfig())
		show("read", "token/-a", nil)
		show("help", "config/a", nil)
		show("help", "", nil)
		show("delete", "config/gst", nil)
		show("read", "token/app", nil)
		dump(t, w.storage)
		_ = fmt.Sprint
		_ = time.Second
	})
}
