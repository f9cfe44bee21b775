// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// A login succeeds in a form documented nowhere: the token is no text of an error, and the credentials are not refused.
func TestSOAP_TokenNeverBecomesMessage(t *testing.T) {
	t.Parallel()
	for _, token := range []string{testOpaqueToken, "quietmeadowandsilverlantern", makeJWT(claims{"exp": 1})} {
		for _, element := range []string{"access_new_tokenResponse", "access_tokenResponse"} {
			for _, content := range []string{"%s", "<return>%s</return>", "<error>%s</error>", "<error_description>session %s open</error_description>"} {
				body := soapResponse(element, fmt.Sprintf(content, token))
				e := mustFail(login(t, upstream.SOAP, always(200, "text/xml", body, "X-Token: "+token)))(t)
				if strings.Contains(e.Error()+e.Code+e.Detail, token) && (strings.ContainsAny(token, "0123456789") || !strings.Contains(content, "error")) {
					t.Errorf("%s: %v", body, e)
				}
				if !strings.Contains(content, "error") {
					mustBe(t, e, "malformed")
				}
			}
		}
	}
}

func TestSOAP_RequestEnvelope(t *testing.T) {
	type testCase struct {
		username, password, action             string
		wantUsername, wantPassword, wantAction string
	}
	each(t, map[string]testCase{
		"with the names that are guessed":    {"", "", "", "username", "passwd", `"urn:server#access_new_token"`},
		"with names that the account states": {"Username", "password", "urn:x", "Username", "password", `"urn:x"`},
	}, func(t *testing.T, test testCase) {
		s := serve(t, always(200, "text/xml", soapSuccess(testOpaqueToken, "14400")))
		a := accountFor(upstream.SOAP, s.URL+"/api.einvoice.php?wsdl")
		a.SOAPUsernameElement, a.SOAPPasswordElement, a.SOAPAction = test.username, test.password, test.action
		check.Value(newClient(t, a).Login(context.Background()))(t)
		r := s.only(t)
		check.Equal(t, r.Header.Get("SOAPAction"), test.wantAction, "SOAPAction")
		check.Equal(t, r.Header.Get("Content-Type"), "text/xml; charset=utf-8", "Content-Type")
		check.Equal(t, r.Header.Get("Accept"), "text/xml", "Accept")
		var sent envelope
		check.NoError(t, xml.Unmarshal([]byte(r.body), &sent))
		want := [][2]string{
			{test.wantUsername, testUser}, {test.wantPassword, testPassword}, {"client_id", testClientID},
			{"client_secret", testClientSecret}, {"grant_type", "password"},
		}
		check.RequireEqual(t, len(sent.Body.Operation.Fields), len(want), "fields that were sent")
		for i, field := range sent.Body.Operation.Fields {
			check.True(t, field.XMLName.Local == want[i][0] && field.Text == want[i][1] && field.XMLName.Space == "",
				"field %d is %v %q, want %q", i, field.XMLName, field.Text, want[i])
		}
	})
}

func TestSOAP_ActionSpelling(t *testing.T) {
	t.Parallel()
	s := serveRaw(t, func(conn net.Conn) {
		body := soapSuccess(testOpaqueToken, "14400")
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	check.Value(newClient(t, accountFor(upstream.SOAP, s.url)).Login(context.Background()))(t)
	head, _ := s.head.Load().(string)
	check.Contains(t, head, "POST / HTTP/1.1\r\n", "\r\nSOAPAction: \"urn:server#access_new_token\"\r\n")
}

func TestSOAP_EntityBombNotExpanded(t *testing.T) {
	t.Parallel()
	bomb := `<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "haha">`
	for i := range 30 {
		bomb += fmt.Sprintf(`<!ENTITY a%d "&a%d;&a%d;&a%d;&a%d;">`, i+1, i, i, i, i)
	}
	bomb += `]>` + soapSuccess("&a30;", "14400")
	mustBe(t, mustFail(login(t, upstream.SOAP, always(200, "text/xml", bomb)))(t), "malformed")
}
