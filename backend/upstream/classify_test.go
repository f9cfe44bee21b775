// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// failing is a response that is a failure, and what it means.
type failing struct {
	protocol   upstream.Protocol
	status     int
	body       string
	kind       string
	code, text string
}

// check logs in, and looks at the error.
func (f failing) check(t *testing.T) {
	t.Helper()
	token, err := login(t, f.protocol, always(f.status, "application/json", f.body))
	f.compare(t, mustFail(t, token, err))
}

func (f failing) compare(t *testing.T, e *upstream.Error) {
	t.Helper()
	mustBe(t, e, f.kind)
	if e.Status != f.status {
		t.Errorf("got status %d, want %d", e.Status, f.status)
	}
	if f.kind == "malformed" {
		mustSay(t, e.Detail, f.text)
		return
	}
	if e.Code != f.code || e.Detail != f.text {
		t.Errorf("got code %q and detail %q, want %q and %q", e.Code, e.Detail, f.code, f.text)
	}
}

func TestClassify_Login(t *testing.T) {
	t.Parallel()
	const html = "<html>x</html>"
	const notJSON = "the response is not JSON: application/json, 14 bytes, no known keys"
	const empty = "the response is empty: application/json, 0 bytes, no known keys"
	unable := "Unable to login with provided credential"
	tests := map[string]failing{
		"206 with error":                  {upstream.JWT, 206, `{"error":"` + unable + `"}`, "rejected", "", unable},
		"200 with error":                  {upstream.JWT, 200, `{"error":"` + unable + `"}`, "rejected", "", unable},
		"200 with error true":             {upstream.JWT, 200, `{"error":true,"message":"x"}`, "unavailable/server", "", "x"},
		"200 with error true in a string": {upstream.JWT, 200, `{"error":"true"}`, "unavailable/server", "", ""},
		"200 with error true about the token": {
			upstream.OAuth, 200, `{"error":true,"message":"Invalid access token","data":""}`, "rejected", "", "Invalid access token",
		},
		"200 with error true about the grant": {
			upstream.OAuth, 200, `{"error":"True","message":"invalid_grant"}`, "rejected", "", "invalid_grant",
		},
		"200 with error true in data": {
			upstream.OAuth, 200, `{"data":{"error":true,"message":"down for maintenance"}}`, "unavailable/server", "",
			"down for maintenance",
		},
		"200 with the error in data": {
			upstream.OAuth, 200, `{"error":true,"message":"","data":{"error":{"error_cd":"E7","message":"no way"}}}`,
			"unavailable/server", "E7", "no way",
		},
		"200 with the error in data that is a string": {
			upstream.OAuth, 200, `{"error":true,"message":"","data":"{\"error\":\"invalid_client\"}"}`, "rejected", "invalid_client", "",
		},
		"200 without success": {
			upstream.JWT, 200, `{"success":false,"message":"try later"}`, "unavailable/server", "", "try later",
		},
		"400 with error true": {upstream.OAuth, 400, `{"error":true,"message":"no way"}`, "invalid", "", "no way"},
		"500 with error true about credentials": {
			upstream.OAuth, 500, `{"error":true,"message":"Unable to login with provided credentials"}`, "rejected", "",
			"Unable to login with provided credentials",
		},
		"206 without success": {
			upstream.JWT, 206, `{"success":false,"message":"no way"}`, "rejected", "", "no way",
		},
		"206 with error true": {upstream.JWT, 206, `{"error":true,"message":"no way"}`, "rejected", "", "no way"},
		"206 with a string": {
			upstream.JWT, 206, `"no way"`, "rejected", "", "the response contains no token: application/json, 8 bytes, no known keys",
		},
		"206 with a list": {
			upstream.OAuth, 206, `[]`, "rejected", "", "the response contains no token: application/json, 2 bytes, no known keys",
		},
		"206 with a code of the server": {
			upstream.FirstVision, 206, firstVisionErrors("250301", 503, "x"), "rejected", "250301", "Unauthorized: x",
		},
		"206 with a message": {
			upstream.JWT, 206, `{"message":"x"}`, "rejected", "",
			"the response contains no token: application/json, 15 bytes, with the keys message",
		},
		"206 with an error beside a token": {
			upstream.JWT, 206, `{"token":"` + testOpaqueToken + `","error":"server_error"}`, "rejected", "server_error", "",
		},
		"400 with an object of unknown keys": {
			upstream.JWT, 400, `{"reason":"x"}`, "invalid", "",
			"the response contains no known error: application/json, 14 bytes, no known keys",
		},
		"403 with an object of unknown keys": {
			upstream.OAuth, 403, `{"reason":"x"}`, "invalid", "",
			"the response contains no known error: application/json, 14 bytes, no known keys",
		},
		"422 with an object of nothing": {
			upstream.FirstVision, 422, `{}`, "invalid", "",
			"the response contains no known error: application/json, 2 bytes, no known keys",
		},
		"200 with error in data": {upstream.JWT, 200, `{"data":{"error":"no"}}`, "rejected", "no", ""},
		"200 with an error object": {
			upstream.OAuth, 200, `{"error":{"error_cd":"E7","message":"no way"}}`, "rejected", "E7", "no way",
		},
		"200 with an error object without a code": {
			upstream.OAuth, 200, `{"error":{"message":"no way"}}`, "rejected", "", "no way",
		},
		"200 with a list of errors": {
			upstream.OAuth, 200, `{"error":["no way","at all"]}`, "rejected", "", "no way",
		},
		"200 with error_description alone": {
			upstream.OAuth, 200, `{"error_description":"no way"}`, "rejected", "", "no way",
		},
		"200 with error 1": {upstream.OAuth, 200, `{"error":1}`, "rejected", "1", ""},
		"200 with an error beside a token": {
			upstream.JWT, 200, `{"token":"` + testOpaqueToken + `","error":"no way"}`, "rejected", "", "no way",
		},
		"200 with an error around a token": {
			upstream.JWT, 200, `{"error":"no way","data":{"token":"` + testOpaqueToken + `"}}`, "rejected", "", "no way",
		},
		"200 with a code beside a token": {
			upstream.FirstVision, 200, `{"access_token":"` + testOpaqueToken + `","errorCode":"240101"}`, "rejected",
			"240101", "",
		},
		"400 with an error that is a sentence": {upstream.JWT, 400, `{"error":"no way"}`, "invalid", "", "no way"},
		"401 with error": {
			upstream.JWT, 401, `{"error":"Invalid Product"}`, "rejected", "", "Invalid Product",
		},
		"401 with HTML":    {upstream.JWT, 401, html, "rejected", "", notJSON},
		"401 with nothing": {upstream.OAuth, 401, "", "rejected", "", empty},
		"401 with a code that says otherwise": {
			upstream.OAuth, 401, `{"error":"server_error"}`, "rejected", "server_error", "",
		},
		"403 that is understood": {upstream.JWT, 403, `{"detail":"no way"}`, "rejected", "", "no way"},
		"403 with a field list": {
			upstream.JWT, 403, `{"username":["no way"]}`, "rejected", "", "username: no way",
		},
		"403 with HTML": {upstream.JWT, 403, html, "malformed", "", "the response is not JSON"},
		"404 that is understood": {
			upstream.JWT, 404, `{"detail":"Not found."}`, "invalid", "", "Not found.",
		},
		"405 that is understood": {
			upstream.JWT, 405, `{"detail":"Method not allowed."}`, "invalid", "", "Method not allowed.",
		},
		"404 with HTML": {upstream.JWT, 404, html, "malformed", "", "the response is not JSON"},
		"407 with HTML": {upstream.JWT, 407, html, "malformed", "", "the response is not JSON"},
		"408":           {upstream.JWT, 408, "", "unavailable/timeout", "", empty},
		"429 with HTML": {upstream.JWT, 429, html, "throttled", "", notJSON},
		"429 with refused credentials": {
			upstream.OAuth, 429, `{"error":"invalid_client"}`, "throttled", "invalid_client", "",
		},
		"500 with HTML": {upstream.JWT, 500, html, "unavailable/server", "", notJSON},
		"500 with an error that is a sentence": {
			upstream.JWT, 500, `{"error":"no way"}`, "unavailable/server", "", "no way",
		},
		"500 with a token": {upstream.JWT, 500, `{"token":"` + testOpaqueToken + `"}`, "unavailable/server", "",
			"the response contains no known error: application/json, 52 bytes, with the keys token"},
		"500 with a field list": {
			upstream.JWT, 500, `{"username":["no"]}`, "unavailable/server", "", "username: no",
		},
		"500 with a code that says otherwise": {
			upstream.OAuth, 500, `{"error":"invalid_grant"}`, "rejected", "invalid_grant", "",
		},
		"502 with HTML":           {upstream.OAuth, 502, html, "unavailable/server", "", notJSON},
		"503 without Retry-After": {upstream.OAuth, 503, html, "unavailable/server", "", notJSON},
		"504 with HTML":           {upstream.FirstVision, 504, html, "unavailable/server", "", notJSON},
		"599": {upstream.SOAP, 599, html, "unavailable/server", "",
			"the response contains no known error: application/json, 14 bytes, no known keys"},
		"OAuth: invalid_client at 400": {
			upstream.OAuth, 400, `{"error":"invalid_client","error_description":"The client credentials are invalid"}`,
			"rejected", "invalid_client", "The client credentials are invalid",
		},
		"OAuth: invalid_grant at 200": {
			upstream.OAuth, 200, `{"error":"invalid_grant"}`, "rejected", "invalid_grant", "",
		},
		"OAuth: invalid_grant at 401": {
			upstream.OAuth, 401, `{"error":"invalid_grant","error_description":"x"}`, "rejected", "invalid_grant", "x",
		},
		"OAuth: unauthorized_client": {
			upstream.OAuth, 400, `{"error":"unauthorized_client"}`, "rejected", "unauthorized_client", "",
		},
		"OAuth: invalid_scope": {
			upstream.FirstVision, 400, `{"error":"invalid_scope"}`, "rejected", "invalid_scope", "",
		},
		"OAuth: access_denied": {
			upstream.OAuth, 403, `{"error":"access_denied"}`, "rejected", "access_denied", "",
		},
		"OAuth: unsupported_grant_type": {
			upstream.OAuth, 400, `{"error":"unsupported_grant_type"}`, "rejected", "unsupported_grant_type", "",
		},
		"OAuth: invalid_request at 400": {
			upstream.OAuth, 400, `{"error":"invalid_request"}`, "invalid", "invalid_request", "",
		},
		"OAuth: invalid_request at 200": {
			upstream.OAuth, 200, `{"error":"invalid_request"}`, "invalid", "invalid_request", "",
		},
		"OAuth: server_error at 400": {
			upstream.OAuth, 400, `{"error":"server_error"}`, "unavailable/server", "server_error", "",
		},
		"OAuth: temporarily_unavailable at 200": {
			upstream.OAuth, 200, `{"error":"temporarily_unavailable"}`, "unavailable/server", "temporarily_unavailable", "",
		},
		"OAuth: a code in capitals": {
			upstream.OAuth, 400, `{"error":" INVALID_GRANT "}`, "rejected", "INVALID_GRANT", "",
		},
		"OAuth: a code of its own": {upstream.OAuth, 400, `{"error":"locked"}`, "invalid", "locked", ""},
		"Django: a field list": {
			upstream.JWT, 400, `{"username":["missing field"]}`, "invalid", "", "username: missing field",
		},
		"Django: the stock text": {
			upstream.JWT, 400, `{"password":["This field is required."]}`, "invalid", "", "password: This field is required.",
		},
		"Django: several fields": {
			upstream.JWT, 400, `{"username":["b"],"password":["a","c"]}`, "invalid", "", "password: a; username: b",
		},
		"Django: more fields than fit": {
			upstream.JWT, 400, `{"a":["1"],"b":["2"],"c":["3"],"d":["4"]}`, "invalid", "", "a: 1; b: 2; c: 3",
		},
		"Django: a field list at 206": {
			upstream.JWT, 206, `{"username":["missing field"]}`, "rejected", "", "username: missing field",
		},
		"Django: a field with a strange name": {upstream.JWT, 400, `{"<script>":["x"]}`, "invalid", "", ""},
		"Django: non_field_errors at 400": {
			upstream.JWT, 400, `{"non_field_errors":["Unable to log in."]}`, "rejected", "", "Unable to log in.",
		},
		"Django: non_field_errors at 200": {
			upstream.JWT, 200, `{"non_field_errors":["Unable to log in."]}`, "rejected", "", "Unable to log in.",
		},
		"Django: non_field_errors beside a field": {
			upstream.JWT, 400, `{"username":["x"],"non_field_errors":["y"]}`, "rejected", "", "y",
		},
		"Django: detail at 401": {
			upstream.JWT, 401, `{"detail":"Signature has expired."}`, "rejected", "", "Signature has expired.",
		},
		"Django: detail at 400": {
			upstream.JWT, 400, `{"detail":"JSON parse error"}`, "invalid", "", "JSON parse error",
		},
		"Django: detail at 200":    {upstream.JWT, 200, `{"detail":"no way"}`, "rejected", "", "no way"},
		"Django: detail in a list": {upstream.JWT, 400, `{"detail":["no way"]}`, "invalid", "", "no way"},
		"FirstVision: 240101": {
			upstream.FirstVision, 401, firstVisionErrors("240101", 401, "Invalid client credentials or scope"), "rejected",
			"240101", "Unauthorized: Invalid client credentials or scope",
		},
		"FirstVision: 240101 at 400": {
			upstream.FirstVision, 400, firstVisionErrors("240101", 400, "x"), "rejected", "240101", "Unauthorized: x",
		},
		"FirstVision: 240101 at 200": {
			upstream.FirstVision, 200, firstVisionErrors("240101", 401, "x"), "rejected", "240101", "Unauthorized: x",
		},
		"FirstVision: 240101 at 500": {
			upstream.FirstVision, 500, firstVisionErrors("240101", 401, "x"), "rejected", "240101", "Unauthorized: x",
		},
		"FirstVision: one object": {
			upstream.FirstVision, 422, `{"errorCode":"240009","title":"Bad","status":422}`, "invalid", "240009", "Bad",
		},
		"FirstVision: a code that is a number": {
			upstream.FirstVision, 422, `{"errorCode":240010,"title":"Bad"}`, "invalid", "240010", "Bad",
		},
		"FirstVision: detail without parameters": {
			upstream.FirstVision, 400, `[{"errorCode":"240005","title":"Bad","detail":"worse","invalid-params":[]}]`,
			"invalid", "240005", "Bad: worse",
		},
		"FirstVision: the flat form of 2022": {
			upstream.FirstVision, 415, `{"errorCode":"AGT415UMT","errorMessage":"Unsupported"}`, "invalid", "AGT415UMT",
			"Unsupported",
		},
		"FirstVision: 240002": {
			upstream.FirstVision, 400, firstVisionErrors("240002", 400, "x"), "invalid", "240002", "Unauthorized: x",
		},
		"FirstVision: 240011": {
			upstream.FirstVision, 200, firstVisionErrors("240011", 400, "x"), "invalid", "240011", "Unauthorized: x",
		},
		"FirstVision: 241501": {
			upstream.FirstVision, 415, firstVisionErrors("241501", 415, "x"), "invalid", "241501", "Unauthorized: x",
		},
		"FirstVision: 241504 at 500": {
			upstream.FirstVision, 500, firstVisionErrors("241504", 415, "x"), "invalid", "241504", "Unauthorized: x",
		},
		"FirstVision: 240501": {
			upstream.FirstVision, 405, firstVisionErrors("240501", 405, "x"), "invalid", "240501", "Unauthorized: x",
		},
		"FirstVision: 340001": {
			upstream.FirstVision, 400, firstVisionErrors("340001", 400, "x"), "invalid", "340001", "Unauthorized: x",
		},
		"FirstVision: 250001 at 400": {
			upstream.FirstVision, 400, firstVisionErrors("250001", 500, "x"), "unavailable/server", "250001",
			"Unauthorized: x",
		},
		"FirstVision: 250301 at 200": {
			upstream.FirstVision, 200, firstVisionErrors("250301", 503, "x"), "unavailable/server", "250301",
			"Unauthorized: x",
		},
		"FirstVision: a code unknown at 400": {
			upstream.FirstVision, 400, firstVisionErrors("999999", 500, "x"), "invalid", "999999", "Unauthorized: x",
		},
		"FirstVision: a code unknown at 500": {
			upstream.FirstVision, 500, firstVisionErrors("999999", 401, "x"), "unavailable/server", "999999",
			"Unauthorized: x",
		},
		"FirstVision: unknown at 200, 401 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 401, "x"), "rejected", "999999", "Unauthorized: x",
		},
		"FirstVision: unknown at 200, 403 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 403, "x"), "rejected", "999999", "Unauthorized: x",
		},
		"FirstVision: unknown at 200, 422 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 422, "x"), "invalid", "999999", "Unauthorized: x",
		},
		"FirstVision: unknown at 200, 429 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 429, "x"), "throttled", "999999", "Unauthorized: x",
		},
		"FirstVision: unknown at 200, 503 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 503, "x"), "unavailable/server", "999999",
			"Unauthorized: x",
		},
		"FirstVision: unknown at 200, 200 within": {
			upstream.FirstVision, 200, firstVisionErrors("999999", 200, "x"), "rejected", "999999", "Unauthorized: x",
		},
		"FirstVision: unknown at 200, status text": {
			upstream.FirstVision, 200, `{"errorCode":"9","status":"503"}`, "unavailable/server", "9", "",
		},
		"FirstVision: the code we know counts": {upstream.FirstVision, 400,
			`[{"errorCode":"999999","title":"a"},"x",{"errorCode":"240101","title":"b"}]`, "rejected", "240101", "b"},
		"FirstVision: a code that is a sentence": {
			upstream.FirstVision, 400, `{"errorCode":"no code","title":"b"}`, "invalid", "", "no code: b",
		},
		"SOAP: bare text": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", " invalid_grant "), "rejected", "invalid_grant", "",
		},
		"SOAP: bare text in return": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", "<return>invalid_grant</return>"), "rejected",
			"invalid_grant", "",
		},
		"SOAP: bare text that is a sentence": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", "no way"), "rejected", "", "no way",
		},
		"SOAP: a sentence in the element of a success": {
			upstream.SOAP, 200, soapResponse("access_new_tokenResponse", "<return>no way</return>"), "rejected", "", "no way",
		},
		"SOAP: a known code in the element of a success": {
			upstream.SOAP, 200, soapResponse("access_new_tokenResponse", "unsupported_grant_type"), "rejected", "unsupported_grant_type",
			"",
		},
		"SOAP: an error element in the element of a success": {
			upstream.SOAP, 200, soapResponse("access_new_tokenResponse", "<error>invalid_grant</error>"), "rejected", "invalid_grant", "",
		},
		"SOAP: a description alone": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", "<error_description>no</error_description>"), "rejected", "", "no",
		},
		"SOAP: a short word in the element of an error": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", "locked"), "rejected", "locked", "",
		},
		"SOAP: JSON at 206": {
			upstream.SOAP, 206, `{"message":"x"}`, "rejected", "",
			"the response is not XML: application/json, 15 bytes, no known keys",
		},
		"SOAP: a JSON object at 403": {
			upstream.SOAP, 403, `{"message":"x"}`, "invalid", "",
			"the response is not XML: application/json, 15 bytes, no known keys",
		},
		"SOAP: an error that is true": {
			upstream.SOAP, 200,
			soapResponse("access_tokenResponse", "<error>true</error><error_description>no way</error_description>"), "rejected", "", "no way",
		},
		"SOAP: JSON with an error": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", `<return>{"error":"invalid_grant"}</return>`), "rejected",
			"invalid_grant", "",
		},
		"SOAP: bare text in ISO-8859-1": {
			upstream.SOAP, 200, soapResponse("access_tokenResponse", "acc\xe8s refus\xe9"), "rejected", "", "accès refusé",
		},
		"SOAP: an error in windows-1252": {
			upstream.SOAP, 200, strings.Replace(soapResponse("access_tokenResponse", "<error>pas d\x92acc\xe8s</error>"), "ISO-8859-1",
				"Windows-1252", 1), "rejected", "", "pas d’accès",
		},
		"SOAP: bare text at 400": {
			upstream.SOAP, 400, soapResponse("access_tokenResponse", "no way"), "invalid", "", "no way",
		},
		"SOAP: an error element": {
			upstream.SOAP, 200,
			soapResponse("access_tokenResponse", "<error>invalid_client</error><error_description>no</error_description>"),
			"rejected", "invalid_client", "no",
		},
		"SOAP: an error beside a token": {
			upstream.SOAP, 200,
			soapResponse("access_new_tokenResponse",
				"<access_token>"+testOpaqueToken+"</access_token><error_description>no</error_description>"),
			"rejected", "", "no",
		},
		"SOAP: a Fault of the client at 500": {
			upstream.SOAP, 500, soapFault("SOAP-ENV:Client", "method not defined"), "invalid", "Client", "method not defined",
		},
		"SOAP: a Fault of the client at 200": {
			upstream.SOAP, 200, soapFault("Client", "method not defined"), "invalid", "Client", "method not defined",
		},
		"SOAP: a Fault about credentials": {
			upstream.SOAP, 500, soapFault("s:Client.Authentication", "no"), "rejected", "Client.Authentication", "no",
		},
		"SOAP: a Fault with an OAuth code": {
			upstream.SOAP, 500, soapFault("s:Server", " invalid_grant "), "rejected", "invalid_grant", "",
		},
		"SOAP: a Fault of the server at 500": {
			upstream.SOAP, 500, soapFault("SOAP-ENV:Server", "no"), "unavailable/server", "Server", "no",
		},
		"SOAP: a Fault of the server at 200": {
			upstream.SOAP, 200, soapFault("SOAP-ENV:Server", "no"), "unavailable/server", "Server", "no",
		},
		"SOAP: a Fault at 401": {
			upstream.SOAP, 401, soapFault("SOAP-ENV:Client", "no"), "rejected", "Client", "no",
		},
		"SOAP: a Fault of no code": {upstream.SOAP, 400, soapFault("", "no"), "invalid", "", "no"},
		"SOAP: a version mismatch": {
			upstream.SOAP, 500, soapFault("s:VersionMismatch", ""), "invalid", "VersionMismatch", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.check(t)
		})
	}
}

// soapFault is a Fault of SOAP 1.1.
func soapFault(code, text string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>` + code +
		`</faultcode><faultactor/><faultstring xml:lang="en">` + text +
		`</faultstring><detail>at line 7</detail></s:Fault></s:Body></s:Envelope>`
}

func TestClassify_Refresh(t *testing.T) {
	t.Parallel()
	tests := map[string]failing{
		"206 with error": {
			upstream.JWT, 206, `{"error":"Passing Incorrect/Invalid token"}`, "rejected", "",
			"Passing Incorrect/Invalid token",
		},
		"200 with error": {
			upstream.JWT, 200, `{"error":"Passing Incorrect/Invalid token"}`, "rejected", "", "Passing Incorrect/Invalid token",
		},
		"206 without success": {
			upstream.JWT, 206, `{"success":false,"message":"no way"}`, "rejected", "", "no way",
		},
		"206 with a string": {
			upstream.JWT, 206, `"no way"`, "rejected", "", "the response contains no token: application/json, 8 bytes, no known keys",
		},
		"400 with error true": {
			upstream.JWT, 400, `{"error":true,"message":"the session is over"}`, "rejected", "", "the session is over",
		},
		"400 with error": {
			upstream.JWT, 400, `{"error":"Expired Refresh token"}`, "rejected", "", "Expired Refresh token",
		},
		"400 with a field list": {
			upstream.JWT, 400, `{"token":["missing field"]}`, "invalid", "", "token: missing field",
		},
		"400 with detail":           {upstream.JWT, 400, `{"detail":"no"}`, "invalid", "", "no"},
		"400 with non_field_errors": {upstream.JWT, 400, `{"non_field_errors":["no"]}`, "rejected", "", "no"},
		"404 with error":            {upstream.JWT, 404, `{"error":"no way"}`, "invalid", "", "no way"},
		"500": {upstream.JWT, 500, ``, "unavailable/server", "",
			"the response is empty: application/json, 0 bytes, no known keys"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := refresh(t, always(test.status, "application/json", test.body))
			e := mustFail(t, token, err)
			test.compare(t, e)
			if e.Op != "refresh" {
				t.Errorf("the operation is %s", e.Op)
			}
		})
	}
}

func TestError_Text(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  upstream.Error
		want string
	}{
		"rejected": {
			upstream.Error{Kind: upstream.Rejected, Op: "login", Status: 206, Detail: "Unable to login"},
			`upstream refused the credentials (HTTP 206, "Unable to login")`,
		},
		"rejected with a code": {
			upstream.Error{Kind: upstream.Rejected, Op: "login", Status: 400, Code: "invalid_client", Detail: "no such client"},
			`upstream refused the credentials (HTTP 400, invalid_client, "no such client")`,
		},
		"rejected refresh": {
			upstream.Error{Kind: upstream.Rejected, Op: "refresh", Status: 400},
			`upstream refused the refresh token (HTTP 400)`,
		},
		"invalid": {
			upstream.Error{Kind: upstream.Invalid, Op: "login", Status: 400, Detail: "username: missing field"},
			`upstream rejected the request as malformed (HTTP 400, "username: missing field")`,
		},
		"throttled": {
			upstream.Error{Kind: upstream.Throttled, Op: "login", Status: 429, RetryAfter: 90 * time.Second},
			`upstream is throttling logins (HTTP 429, retry after 1m30s)`,
		},
		"unavailable: dns": {
			upstream.Error{
				Kind: upstream.Unavailable, Op: "login", Cause: upstream.CauseDNS, Detail: "the name x does not resolve",
			},
			`upstream cannot be reached: the name x does not resolve`,
		},
		"unavailable: timeout": {
			upstream.Error{Kind: upstream.Unavailable, Op: "login", Cause: upstream.CauseTimeout, Detail: "timeout after 15s"},
			`upstream did not respond in time: timeout after 15s`,
		},
		"unavailable: server": {
			upstream.Error{Kind: upstream.Unavailable, Op: "login", Cause: upstream.CauseServer, Status: 503},
			`upstream reports an error (HTTP 503)`,
		},
		"malformed": {
			upstream.Error{Kind: upstream.Malformed, Op: "login", Status: 200, Detail: "the response is empty (HTTP 200)"},
			`upstream's response cannot be understood: the response is empty (HTTP 200)`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.err.Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := test.err.Timeout(); got != strings.Contains(name, "timeout") {
				t.Errorf("Timeout() is %v", got)
			}
		})
	}
}

// TestCharset_NamedByContentType has no XML declaration.
func TestCharset_NamedByContentType(t *testing.T) {
	t.Parallel()
	_, body, _ := strings.Cut(soapResponse("access_tokenResponse", "acc\xe8s refus\xe9"), "?>")
	for media, want := range map[string]string{
		"text/xml; charset=ISO-8859-1": "rejected", `text/xml; charset="windows-1252"`: "rejected",
		"text/xml; charset=utf-8": "malformed", "text/xml": "malformed", "text/xml; charset=koi8-r": "malformed",
	} {
		token, err := login(t, upstream.SOAP, always(200, media, body))
		mustBe(t, mustFail(t, token, err), want)
	}
}
