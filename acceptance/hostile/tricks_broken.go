// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"fmt"
	"net/http"
	"strings"
)

// brokenTricks are responses that break off, or contradict themselves.
func brokenTricks() []Trick {
	body := `{"token":"` + goodToken() + `","expires_in":3600}`
	good := func(name, response string) Trick {
		return Trick{Name: name, Code: http.StatusOK, response: endsAfter(response)}
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	return []Trick{
		gone("closes at once", endsAfter("")),
		gone("closes between headers", endsAfter(jsonHead)),
		bad("closes within a header", endsAfter(jsonHead+"X-Ha")),
		bad("closes behind the head", endsAfter(jsonHead+length+"\r\n")),
		bad("closes within the body", endsAfter(jsonHead+length+"\r\n"+body[:20])),
		bad("closes before the last byte", endsAfter(jsonHead+length+"\r\n"+body[:len(body)-1])),
		bad("closes within a chunk", endsAfter(jsonHead+"Transfer-Encoding: chunked\r\n\r\nff\r\n"+body)),
		bad("closes before the last chunk", endsAfter(jsonHead+"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")),
		bad("a length that is too long", endsAfter(jsonHead+"Content-Length: 9999\r\n\r\n"+body)),
		late("a length that is too long, and waits", says(jsonHead+"Content-Length: 9999\r\n\r\n"+body)),
		bad("a length that is too short", says(jsonHead+"Content-Length: 9\r\n\r\n"+body)),
		bad("a length of nothing", says(jsonHead+"Content-Length: 0\r\n\r\n"+body)),
		bad("a negative length", says(jsonHead+"Content-Length: -1\r\n\r\n"+body)),
		bad("a length in words", says(jsonHead+"Content-Length: many\r\n\r\n"+body)),
		bad("a length beyond numbers", says(jsonHead+"Content-Length: 99999999999999999999\r\n\r\n"+body)),
		bad("two lengths", says(jsonHead+length+"Content-Length: 9\r\n\r\n"+body)),
		bad("an unknown transfer encoding", says(jsonHead+"Transfer-Encoding: rot13\r\n\r\n"+body)),
		bad("a chunk of a negative size", says(jsonHead+"Transfer-Encoding: chunked\r\n\r\n-1\r\n"+body)),
		bad("a chunk beyond numbers", says(jsonHead+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"+body)),
		bad("a header without a colon", says("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"+body)),
		bad("a header with a NUL", says("HTTP/1.1 200 OK\r\nX-Nul: \x00\r\n\r\n"+body)),
		bad("a status that is no number", says("HTTP/1.1 two OK\r\n\r\n"+body)),
		bad("a status of four digits", says("HTTP/1.1 2000 OK\r\n\r\n"+body)),
		bad("a negative status", says("HTTP/1.1 -20 OK\r\n\r\n"+body)),
		bad("no head at all", endsAfter(body)),
		bad("the banner of another service", says("SSH-2.0-OpenSSH_9.9\r\n"+strings.Repeat("x\r\n", 100))),
		bad("noise", endsAfter(strings.Repeat("\x00\xff\x80\x16\x03\x01", 1000))),
		bad("TLS at a plain URL", says("\x15\x03\x01\x00\x02\x02\x0a")),
		bad("204 without a word", says("HTTP/1.1 204 No Content\r\n\r\n")),
		good("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"+body),
		good("HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\n"+length+"\r\n"+body),
		good("a status without a reason", "HTTP/1.1 200\r\n"+length+"\r\n"+body),
		good("bare line feeds", "HTTP/1.1 200 OK\n"+strings.ReplaceAll(length, "\r", "")+"\n"+body),
		good("early hints before a good response", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"+jsonHead+length+"\r\n"+body),
		good("more behind the response", jsonHead+length+"\r\n"+body+"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"),
	}
}

// limitTricks are responses of the vendor's that say absurd things about time and number.
func limitTricks() []Trick {
	var tricks []Trick
	for _, after := range []string{
		"99999999999999999999999", "-1", "NaN", "Inf", "1e308", "soon", "Fri, 31 Dec 9999 23:59:59 GMT",
		"Thu, 01 Jan 1970 00:00:00 GMT",
	} {
		tricks = append(tricks, Trick{
			Name: "Retry-After: " + after, Kind: throttled, Code: http.StatusTooManyRequests,
			response: says("HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + after + "\r\nContent-Length: 0\r\n\r\n"),
		})
	}
	for _, life := range []string{"0", "-1", "9", `"-1"`, "1e-9", "{}", "[3600]", "true", `"soon"`, `"NaN"`, `"Inf"`, "-1e308"} {
		tricks = append(tricks, bad("expires_in: "+life,
			says(httpResponse("200 OK", "application/json", `{"token":"`+goodToken()+`","expires_in":`+life+`}`))))
	}
	for _, date := range []string{"Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", ""} {
		body := `{"token":"` + goodToken() + `","expires_in":3600}`
		tricks = append(tricks, Trick{
			Name: "Date: " + date, Code: http.StatusOK,
			response: says(fmt.Sprintf("%sDate: %s\r\nContent-Length: %d\r\n\r\n%s", jsonHead, date, len(body), body)),
		})
	}
	return tricks
}
