// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// failing is a response that is a failure, and what it means.
type failing struct {
	name       string
	protocol   upstream.Protocol
	status     int
	body       string
	kind       string
	code, text string
}

func (f failing) check(t *testing.T) {
	t.Helper()
	f.compare(t, mustFail(login(t, f.protocol, always(f.status, "application/json", f.body)))(t))
}

func (f failing) compare(t *testing.T, e *upstream.Error) {
	t.Helper()
	mustBe(t, e, f.kind)
	check.Equal(t, e.Status, f.status, "the status")
	if f.kind == "malformed" {
		check.Contains(t, e.Detail, f.text)
		return
	}
	check.True(t, e.Code == f.code && e.Detail == f.text, "code %q and detail %q, want %q and %q", e.Code, e.Detail, f.code, f.text)
}

func TestClassify_Login(t *testing.T) {
	t.Parallel()
	const jwt, oauth, soap, vision = upstream.JWT, upstream.OAuth, upstream.SOAP, upstream.FirstVision
	const html, down, titled = "<html>x</html>", "unavailable/server", "Unauthorized: x"
	const notJSON = "the response is not JSON: application/json, 14 bytes, no known keys"
	const empty = "the response is empty: application/json, 0 bytes, no known keys"
	const noToken, noError = "the response contains no token: application/json, ", "the response contains no known error: application/json, "
	const token, grant, client = testOpaqueToken, "invalid_grant", "invalid_client"
	const notXML = "the response is not XML: application/json, 15 bytes, no known keys"
	unable := "Unable to login with provided credential"
	errorOf := func(code string, status int) string { return firstVisionErrors(code, status, "x") }
	soapError := func(content string) string { return soapResponse("access_tokenResponse", content) }
	soapToken := func(content string) string { return soapResponse("access_new_tokenResponse", content) }
	tests := []failing{
		{"206 with error", jwt, 206, `{"error":"` + unable + `"}`, "rejected", "", unable},
		{"200 with error", jwt, 200, `{"error":"` + unable + `"}`, "rejected", "", unable},
		{"200 with error true", jwt, 200, `{"error":true,"message":"x"}`, down, "", "x"},
		{"200 with error true in a string", jwt, 200, `{"error":"true"}`, down, "", ""},
		{"200 with error true about the token", oauth, 200, `{"error":true,"message":"Invalid access token","data":""}`, "rejected", "",
			"Invalid access token"},
		{"200 with error true about the grant", oauth, 200, `{"error":"True","message":"invalid_grant"}`, "rejected", "", grant},
		{"200 with error true in data", oauth, 200, `{"data":{"error":true,"message":"down for work"}}`, down, "", "down for work"},
		{"200 with the error in data", oauth, 200, `{"error":true,"message":"","data":{"error":{"error_cd":"E7","message":"no way"}}}`,
			down, "E7", "no way"},
		{"200 with the error in data that is a string", oauth, 200,
			`{"error":true,"message":"","data":"{\"error\":\"invalid_client\"}"}`, "rejected", "invalid_client", ""},
		{"200 without success", jwt, 200, `{"success":false,"message":"try later"}`, down, "", "try later"},
		{"400 with error true", oauth, 400, `{"error":true,"message":"no way"}`, "invalid", "", "no way"},
		{"500 with error true about credentials", oauth, 500, `{"error":true,"message":"Unable to login with provided credentials"}`,
			"rejected", "", "Unable to login with provided credentials"},
		{"206 without success", jwt, 206, `{"success":false,"message":"no way"}`, "rejected", "", "no way"},
		{"206 with error true", jwt, 206, `{"error":true,"message":"no way"}`, "rejected", "", "no way"},
		{"206 with a string", jwt, 206, `"no way"`, "rejected", "", noToken + "8 bytes, no known keys"},
		{"206 with a list", oauth, 206, `[]`, "rejected", "", noToken + "2 bytes, no known keys"},
		{"206 with a code of the server", vision, 206, errorOf("250301", 503), "rejected", "250301", titled},
		{"206 with a message", jwt, 206, `{"message":"x"}`, "rejected", "", noToken + "15 bytes, with the keys message"},
		{"206, an error beside a token", jwt, 206, `{"token":"` + token + `","error":"server_error"}`, "rejected", "server_error", ""},
		{"400 with an object of unknown keys", jwt, 400, `{"reason":"x"}`, "invalid", "", noError + "14 bytes, no known keys"},
		{"403 with an object of unknown keys", oauth, 403, `{"reason":"x"}`, "invalid", "", noError + "14 bytes, no known keys"},
		{"422 with an object of nothing", vision, 422, `{}`, "invalid", "", noError + "2 bytes, no known keys"},
		{"200 with error in data", jwt, 200, `{"data":{"error":"no"}}`, "rejected", "no", ""},
		{"200 with an error object", oauth, 200, `{"error":{"error_cd":"E7","message":"no way"}}`, "rejected", "E7", "no way"},
		{"200 with an error object without a code", oauth, 200, `{"error":{"message":"no way"}}`, "rejected", "", "no way"},
		{"200 with a list of errors", oauth, 200, `{"error":["no way","at all"]}`, "rejected", "", "no way"},
		{"200 with error_description alone", oauth, 200, `{"error_description":"no way"}`, "rejected", "", "no way"},
		{"200 with error 1", oauth, 200, `{"error":1}`, "rejected", "1", ""},
		{"200 with an error beside a token", jwt, 200, `{"token":"` + token + `","error":"no way"}`, "rejected", "", "no way"},
		{"200 with an error around a token", jwt, 200, `{"error":"x y","data":{"token":"` + token + `"}}`, "rejected", "", "x y"},
		{"200, a code beside a token", vision, 200, `{"access_token":"` + token + `","errorCode":"240101"}`, "rejected", "240101", ""},
		{"400 with an error that is a sentence", jwt, 400, `{"error":"no way"}`, "invalid", "", "no way"},
		{"401 with error", jwt, 401, `{"error":"Invalid Product"}`, "rejected", "", "Invalid Product"},
		{"401 with HTML", jwt, 401, html, "rejected", "", notJSON},
		{"401 with nothing", oauth, 401, "", "rejected", "", empty},
		{"401 with a code that says otherwise", oauth, 401, `{"error":"server_error"}`, "rejected", "server_error", ""},
		{"401 with a string", jwt, 401, `"401 Invalid Product"`, "rejected", "", noError + "21 bytes, no known keys"},
		{"401 with a token", jwt, 401, `{"token":"no way"}`, "rejected", "",
			"the response contains no known error: no media type, 18 bytes, with the keys token"},
		{"401 with FirstVision's error", jwt, 401, errorOf("240101", 401), "rejected", "240101", titled},
		{"403 that is understood", jwt, 403, `{"detail":"no way"}`, "rejected", "", "no way"},
		{"403 with a field list", jwt, 403, `{"username":["no way"]}`, "rejected", "", "username: no way"},
		{"403 with HTML", jwt, 403, html, "malformed", "", "the response is not JSON"},
		{"404 that is understood", jwt, 404, `{"detail":"Not found."}`, "invalid", "", "Not found."},
		{"405 that is understood", jwt, 405, `{"detail":"Method not allowed."}`, "invalid", "", "Method not allowed."},
		{"404 with HTML", jwt, 404, html, "malformed", "", "the response is not JSON"},
		{"407 with HTML", jwt, 407, html, "malformed", "", "the response is not JSON"},
		{"408", jwt, 408, "", "unavailable/timeout", "", empty},
		{"429 with HTML", jwt, 429, html, "throttled", "", notJSON},
		{"429 with refused credentials", oauth, 429, `{"error":"invalid_client"}`, "throttled", "invalid_client", ""},
		{"500 with HTML", jwt, 500, html, down, "", notJSON},
		{"500 with an error that is a sentence", jwt, 500, `{"error":"no way"}`, down, "", "no way"},
		{"500 with a token", jwt, 500, `{"token":"` + testOpaqueToken + `"}`, down, "", noError + "52 bytes, with the keys token"},
		{"500 with a field list", jwt, 500, `{"username":["no"]}`, down, "", "username: no"},
		{"500 with a code that says otherwise", oauth, 500, `{"error":"invalid_grant"}`, "rejected", "invalid_grant", ""},
		{"502 with HTML", oauth, 502, html, down, "", notJSON},
		{"503 without Retry-After", oauth, 503, html, down, "", notJSON},
		{"504 with HTML", vision, 504, html, down, "", notJSON},
		{"599", soap, 599, html, down, "", noError + "14 bytes, no known keys"},
		{"OAuth: invalid_client at 400", oauth, 400, `{"error":"invalid_client","error_description":"x"}`, "rejected", client, "x"},
		{"OAuth: invalid_grant at 200", oauth, 200, `{"error":"invalid_grant"}`, "rejected", "invalid_grant", ""},
		{"OAuth: invalid_grant at 401", oauth, 401, `{"error":"invalid_grant","error_description":"x"}`, "rejected", grant, "x"},
		{"OAuth: unauthorized_client", oauth, 400, `{"error":"unauthorized_client"}`, "rejected", "unauthorized_client", ""},
		{"OAuth: invalid_scope", vision, 400, `{"error":"invalid_scope"}`, "rejected", "invalid_scope", ""},
		{"OAuth: access_denied", oauth, 403, `{"error":"access_denied"}`, "rejected", "access_denied", ""},
		{"OAuth: unsupported_grant_type", oauth, 400, `{"error":"unsupported_grant_type"}`, "rejected", "unsupported_grant_type", ""},
		{"OAuth: invalid_request at 400", oauth, 400, `{"error":"invalid_request"}`, "invalid", "invalid_request", ""},
		{"OAuth: invalid_request at 200", oauth, 200, `{"error":"invalid_request"}`, "invalid", "invalid_request", ""},
		{"OAuth: server_error at 400", oauth, 400, `{"error":"server_error"}`, down, "server_error", ""},
		{"OAuth: temporarily_unavailable", oauth, 200, `{"error":"temporarily_unavailable"}`, down, "temporarily_unavailable", ""},
		{"OAuth: a code in capitals", oauth, 400, `{"error":" INVALID_GRANT "}`, "rejected", "INVALID_GRANT", ""},
		{"OAuth: a code of its own", oauth, 400, `{"error":"locked"}`, "invalid", "locked", ""},
		{"Django: a field list", jwt, 400, `{"username":["missing field"]}`, "invalid", "", "username: missing field"},
		{"Django: a stock", jwt, 400, `{"password":["This field is required."]}`, "invalid", "", "password: This field is required."},
		{"Django: a text in another language", jwt, 400, `{"username":["आवश्यक"]}`, "invalid", "", "username: आवश्यक"},
		{"Django: refused in another language", jwt, 400, `{"non_field_errors":["nein"]}`, "rejected", "", "nein"},
		{"Django: several fields", jwt, 400, `{"username":["b"],"password":["a","c"]}`, "invalid", "", "password: a; username: b"},
		{"Django: more fields than fit", jwt, 400, `{"a":["1"],"b":["2"],"c":["3"],"d":["4"]}`, "invalid", "", "a: 1; b: 2; c: 3"},
		{"Django: a field list at 206", jwt, 206, `{"username":["missing field"]}`, "rejected", "", "username: missing field"},
		{"Django: a field with a strange name", jwt, 400, `{"<script>":["x"]}`, "invalid", "", ""},
		{"Django: non-field error at 400", jwt, 400, `{"non_field_errors":["Unable to log in."]}`, "rejected", "", "Unable to log in."},
		{"Django: non-field error at 200", jwt, 200, `{"non_field_errors":["Unable to log in."]}`, "rejected", "", "Unable to log in."},
		{"Django: non_field_errors beside a field", jwt, 400, `{"username":["x"],"non_field_errors":["y"]}`, "rejected", "", "y"},
		{"Django: detail at 401", jwt, 401, `{"detail":"Signature has expired."}`, "rejected", "", "Signature has expired."},
		{"Django: detail at 400", jwt, 400, `{"detail":"JSON parse error"}`, "invalid", "", "JSON parse error"},
		{"Django: detail at 200", jwt, 200, `{"detail":"no way"}`, "rejected", "", "no way"},
		{"Django: detail in a list", jwt, 400, `{"detail":["no way"]}`, "invalid", "", "no way"},
		{"FirstVision: 240101", vision, 401, firstVisionErrors("240101", 401, "Invalid client credentials or scope"), "rejected",
			"240101", "Unauthorized: Invalid client credentials or scope"},
		{"FirstVision: 240101 at 400", vision, 400, errorOf("240101", 400), "rejected", "240101", titled},
		{"FirstVision: 240101 at 200", vision, 200, errorOf("240101", 401), "rejected", "240101", titled},
		{"FirstVision: 240101 at 500", vision, 500, errorOf("240101", 401), "rejected", "240101", titled},
		{"FirstVision: one object", vision, 422, `{"errorCode":"240009","title":"Bad","status":422}`, "invalid", "240009", "Bad"},
		{"FirstVision: a code that is a number", vision, 422, `{"errorCode":240010,"title":"Bad"}`, "invalid", "240010", "Bad"},
		{"FirstVision: detail without parameters", vision, 400,
			`[{"errorCode":"240005","title":"Bad","detail":"worse","invalid-params":[]}]`, "invalid", "240005", "Bad: worse"},
		{"FirstVision: the flat form of 2022", vision, 415, `{"errorCode":"AGT415UMT","errorMessage":"Unsupported"}`, "invalid",
			"AGT415UMT", "Unsupported"},
		{"FirstVision: 240002", vision, 400, errorOf("240002", 400), "invalid", "240002", titled},
		{"FirstVision: 240011", vision, 200, errorOf("240011", 400), "invalid", "240011", titled},
		{"FirstVision: 241501", vision, 415, errorOf("241501", 415), "invalid", "241501", titled},
		{"FirstVision: 241504 at 500", vision, 500, errorOf("241504", 415), "invalid", "241504", titled},
		{"FirstVision: 240501", vision, 405, errorOf("240501", 405), "invalid", "240501", titled},
		{"FirstVision: 340001", vision, 400, errorOf("340001", 400), "invalid", "340001", titled},
		{"FirstVision: 250001 at 400", vision, 400, errorOf("250001", 500), down, "250001", titled},
		{"FirstVision: 250301 at 200", vision, 200, errorOf("250301", 503), down, "250301", titled},
		{"FirstVision: a code unknown at 400", vision, 400, errorOf("999999", 500), "invalid", "999999", titled},
		{"FirstVision: a code unknown at 500", vision, 500, errorOf("999999", 401), down, "999999", titled},
		{"FirstVision: unknown at 200, 401 within", vision, 200, errorOf("999999", 401), "rejected", "999999", titled},
		{"FirstVision: unknown at 200, 403 within", vision, 200, errorOf("999999", 403), "rejected", "999999", titled},
		{"FirstVision: unknown at 200, 422 within", vision, 200, errorOf("999999", 422), "invalid", "999999", titled},
		{"FirstVision: unknown at 200, 429 within", vision, 200, errorOf("999999", 429), "throttled", "999999", titled},
		{"FirstVision: unknown at 200, 503 within", vision, 200, errorOf("999999", 503), down, "999999", titled},
		{"FirstVision: unknown at 200, 200 within", vision, 200, errorOf("999999", 200), "rejected", "999999", titled},
		{"FirstVision: unknown at 200, status text", vision, 200, `{"errorCode":"9","status":"503"}`, down, "9", ""},
		{"FirstVision: the code we know counts", vision, 400,
			`[{"errorCode":"999999","title":"a"},"x",{"errorCode":"240101","title":"b"}]`, "rejected", "240101", "b"},
		{"FirstVision: a code that is a sentence", vision, 400, `{"errorCode":"no code","title":"b"}`, "invalid", "", "no code: b"},
		{"SOAP: bare text", soap, 200, soapError(" invalid_grant "), "rejected", "invalid_grant", ""},
		{"SOAP: bare text in return", soap, 200, soapError("<return>invalid_grant</return>"), "rejected", "invalid_grant", ""},
		{"SOAP: bare text that is a sentence", soap, 200, soapError("no way"), "rejected", "", "no way"},
		{"SOAP: a sentence in the element of a success", soap, 200, soapToken("<return>no way</return>"), "rejected", "", "no way"},
		{"SOAP: a known code in a success", soap, 200, soapToken("unsupported_grant_type"), "rejected", "unsupported_grant_type", ""},
		{"SOAP: an error element in a success", soap, 200, soapToken("<error>invalid_grant</error>"), "rejected", "invalid_grant", ""},
		{"SOAP: a description alone", soap, 200, soapError("<error_description>no</error_description>"), "rejected", "", "no"},
		{"SOAP: a short word in the element of an error", soap, 200, soapError("locked"), "rejected", "locked", ""},
		{"SOAP: JSON at 206", soap, 206, `{"message":"x"}`, "rejected", "", notXML},
		{"SOAP: a JSON object at 403", soap, 403, `{"message":"x"}`, "invalid", "", notXML},
		{"SOAP: an error that is true", soap, 200, soapError("<error>true</error><error_description>no way</error_description>"),
			"rejected", "", "no way"},
		{"SOAP: JSON with an error", soap, 200, soapError(`<return>{"error":"invalid_grant"}</return>`), "rejected", grant, ""},
		{"SOAP: bare text in ISO-8859-1", soap, 200, soapError("acc\xe8s refus\xe9"), "rejected", "", "accès refusé"},
		{"SOAP: an error in windows-1252", soap, 200,
			strings.Replace(soapError("<error>pas d\x92acc\xe8s</error>"), "ISO-8859-1", "Windows-1252", 1), "rejected", "",
			"pas d’accès"},
		{"SOAP: bare text at 400", soap, 400, soapError("no way"), "invalid", "", "no way"},
		{"SOAP: an error element", soap, 200, soapError("<error>invalid_client</error><error_description>no</error_description>"),
			"rejected", "invalid_client", "no"},
		{"SOAP: an error beside a token", soap, 200,
			soapToken("<access_token>" + testOpaqueToken + "</access_token><error_description>no</error_description>"), "rejected", "",
			"no"},
		{"SOAP: a Fault of the client at 500", soap, 500, soapFault("SOAP-ENV:Client", "no method"), "invalid", "Client", "no method"},
		{"SOAP: a Fault of the client at 200", soap, 200, soapFault("Client", "no method"), "invalid", "Client", "no method"},
		{"SOAP: a Fault about credentials", soap, 500, soapFault("s:Client.Authentication", "no"), "rejected", "Client.Authentication",
			"no"},
		{"SOAP: a Fault with an OAuth code", soap, 500, soapFault("s:Server", " invalid_grant "), "rejected", "invalid_grant", ""},
		{"SOAP: a Fault of the server at 500", soap, 500, soapFault("SOAP-ENV:Server", "no"), down, "Server", "no"},
		{"SOAP: a Fault of the server at 200", soap, 200, soapFault("SOAP-ENV:Server", "no"), down, "Server", "no"},
		{"SOAP: a Fault at 401", soap, 401, soapFault("SOAP-ENV:Client", "no"), "rejected", "Client", "no"},
		{"SOAP: a Fault of no code", soap, 400, soapFault("", "no"), "invalid", "", "no"},
		{"SOAP: a version mismatch", soap, 500, soapFault("s:VersionMismatch", ""), "invalid", "VersionMismatch", ""},
		{"400 with a code of the server", jwt, 400, `{"error":"server_error"}`, down, "server_error", ""},
		{"408 with a message", jwt, 408, `{"message":"x"}`, "unavailable/timeout", "", noError + "15 bytes, with the keys message"},
		{"403 with an object of nothing", jwt, 403, `{}`, "invalid", "", noError + "2 bytes, no known keys"},
		{"200 with an error that is none", jwt, 200, `{"error":{"code":0,"message":""}}`, "malformed", "", "contains no token"},
		{"200 with a list of lists", jwt, 200, `[["no"]]`, "malformed", "", "the response contains no token"},
		{"FirstVision: unknown at 200, 500 within", vision, 200, errorOf("999999", 500), down, "999999", titled},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) { test.check(t) })
	}
}

func soapFault(code, text string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>` + code +
		`</faultcode><faultactor/><faultstring xml:lang="en">` + text +
		`</faultstring><detail>at line 7</detail></s:Fault></s:Body></s:Envelope>`
}

func TestClassify_Refresh(t *testing.T) {
	const invalid, noToken = "Passing Incorrect/Invalid token", "the response contains no token: "
	t.Parallel()
	tests := []failing{
		{"206 with error", upstream.JWT, 206, `{"error":"` + invalid + `"}`, "rejected", "", invalid},
		{"200 with error", upstream.JWT, 200, `{"error":"` + invalid + `"}`, "rejected", "", invalid},
		{"206 without success", upstream.JWT, 206, `{"success":false,"message":"no way"}`, "rejected", "", "no way"},
		{"206 with a string", upstream.JWT, 206, `"no way"`, "rejected", "", noToken + "application/json, 8 bytes, no known keys"},
		{"400 with error true", upstream.JWT, 400, `{"error":true,"message":"it is over"}`, "rejected", "", "it is over"},
		{"400 with error", upstream.JWT, 400, `{"error":"Expired Refresh token"}`, "rejected", "", "Expired Refresh token"},
		{"400 with a field list", upstream.JWT, 400, `{"token":["missing field"]}`, "invalid", "", "token: missing field"},
		{"400 with detail", upstream.JWT, 400, `{"detail":"no"}`, "invalid", "", "no"},
		{"400 with non_field_errors", upstream.JWT, 400, `{"non_field_errors":["no"]}`, "rejected", "", "no"},
		{"404 with error", upstream.JWT, 404, `{"error":"no way"}`, "invalid", "", "no way"},
		{"500", upstream.JWT, 500, ``, "unavailable/server", "", "the response is empty: application/json, 0 bytes, no known keys"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			e := mustFail(refresh(t, always(test.status, "application/json", test.body)))(t)
			test.compare(t, e)
			check.Equal(t, e.Op, "refresh", "the operation")
		})
	}
}

func TestError_Text(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]upstream.Error{
		`upstream refused the credentials (HTTP 206, "Unable to login")`: {Kind: upstream.Rejected, Status: 206, Detail: "Unable to login"},
		`upstream refused the credentials (HTTP 400, invalid_client, "no such client")`: {
			Kind: upstream.Rejected, Status: 400, Code: "invalid_client", Detail: "no such client",
		},
		`upstream refused the refresh token (HTTP 400)`: {Kind: upstream.Rejected, Op: "refresh", Status: 400},
		`upstream rejected the request as malformed (HTTP 400, "username: missing field")`: {
			Kind: upstream.Invalid, Status: 400, Detail: "username: missing field",
		},
		`upstream is throttling logins (HTTP 429, retry after 1m30s)`: {
			Kind: upstream.Throttled, Status: 429, RetryAfter: 90 * time.Second,
		},
		`upstream cannot be reached: the name x does not resolve`: {
			Kind: upstream.Unavailable, Cause: upstream.CauseDNS, Detail: "the name x does not resolve",
		},
		`upstream did not respond in time: timeout after 15s`: {
			Kind: upstream.Unavailable, Cause: upstream.CauseTimeout, Detail: "timeout after 15s",
		},
		`upstream reports an error (HTTP 503)`:                            {Kind: upstream.Unavailable, Cause: upstream.CauseServer, Status: 503},
		`upstream's response cannot be understood: the response is empty`: {Kind: upstream.Malformed, Detail: "the response is empty"},
	} {
		check.Equal(t, e.Error(), want, "the text")
		check.Equal(t, e.Timeout(), e.Cause == upstream.CauseTimeout, "Timeout() of %q", want)
	}
}
