// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"fmt"
	"net/http"
	"strings"
)

// mebibyte is the longest response that is read.
const mebibyte = 1 << 20

// jsonTricks are responses in JSON, or in something similar.
func jsonTricks() []Trick {
	token := goodToken()
	good := `{"token":"` + token + `","expires_in":3600}`
	bad := func(name, body string) Trick {
		t := bad(name, says(httpResponse("200 OK", "application/json", body)))
		t.Growth = growthOf(body)
		return t
	}
	fine := func(name, body string) Trick {
		return Trick{Name: name, Code: http.StatusOK, response: says(httpResponse("200 OK", "application/json", body))}
	}
	half := mebibyte / 2
	return []Trick{
		bad("a mebibyte of [", strings.Repeat("[", mebibyte)),
		bad("deep lists, all closed", strings.Repeat("[", half)+strings.Repeat("]", half)),
		bad("deep objects", strings.Repeat(`{"a":`, mebibyte/5)),
		bad("deep objects, all closed", strings.Repeat(`{"a":`, half/3)+"1"+strings.Repeat("}", half/3)),
		bad("deep data", strings.Repeat(`{"data":`, 5000)+good+strings.Repeat("}", 5000)),
		bad("many small lists", "["+strings.Repeat("[],", mebibyte/3-2)+"[]]"),
		bad("many small objects", "["+strings.Repeat("{},", mebibyte/3-2)+"{}]"),
		bad("many keys", manyKeys()),
		bad("a number of a mebibyte", `{"expires_in":`+strings.Repeat("9", mebibyte-20)+"}"),
		fine("a life of a mebibyte of digits", `{"token":"`+token+`","expires_in":`+strings.Repeat("9", mebibyte-100)+"e-1}"),
		bad("a token of half a mebibyte", `{"token":"`+strings.Repeat("a", half)+`"}`),
		bad("an error of half a mebibyte that is none", `{"errors":"`+strings.Repeat("a", half)+`"}`),
		bad("two values", good+good),
		bad("two values, in lines", good+"\n"+good+"\n"),
		bad("a value and a brace", good+"}"),
		bad("a value and a NUL", good+"\x00"),
		bad("a NUL and a value", "\x00"+good),
		bad("a NUL in the token", `{"token":"abc`+"\x00"+`def","expires_in":3600}`),
		bad("an escaped NUL in the token", `{"token":"abc\u0000def","expires_in":3600}`),
		bad("a line end in the token", `{"token":"abc\r\nX-Evil: 1","expires_in":3600}`),
		bad("a blank in the token", `{"token":"abc def","expires_in":3600}`),
		bad("an overlong token in UTF-8", `{"token":"`+strings.Repeat("ü", 20)+`","expires_in":3600}`),
		bad("a surrogate in the token", `{"token":"\ud800","expires_in":3600}`),
		bad("bytes that are no UTF-8", `{"token":"`+"\xff\xfe\x80"+`","expires_in":3600}`),
		bad("bytes that are no UTF-8 elsewhere", `{"x":"`+"\xc3\x28"+`","token":"`+token+`"}`),
		bad("UTF-16", "\xff\xfe{\x00\"\x00t\x00\"\x00:\x001\x00}\x00"),
		bad("nothing but NULs", strings.Repeat("\x00", 1000)),
		bad("nothing but blanks", strings.Repeat(" \t\r\n", 1000)),
		bad("a comment", "/* */"+good),
		bad("single quotes", strings.ReplaceAll(good, `"`, "'")),
		bad("a wrapped call", "callback("+good+")"),
		bad("an anti-hijacking prefix", ")]}',\n"+good),
		bad("null", "null"), bad("true", "true"), bad("a number", "1e999"), bad("a text", `"`+token+`"`), bad("an empty list", "[]"),
		bad("an empty object", "{}"), bad("a token that is null", `{"token":null}`), bad("a token that is a number", `{"token":12345}`),
		bad("a token that is empty", `{"token":""}`),
		bad("an HTML page", "<html><body>"+token+"</body></html>"),
		bad("XML", `<?xml version="1.0"?><token>`+token+"</token>"),
		bad("a JWT that is long dead", `{"token":"`+deadJWT+`"}`),
		bad("a JWT with an expiry beyond time", `{"token":"eyJhbGciOiJub25lIn0.eyJleHAiOi0xZTMwMH0.x"}`),
		fine("a byte order mark", "\ufeff"+good),
		fine("the same key twice", `{"token":"`+goodToken()+`","token":"`+token+`","expires_in":3600}`),
		fine("a life beyond all time", `{"token":"`+token+`","expires_in":999999999}`),
		fine("long blanks around", strings.Repeat(" ", half/2)+good+strings.Repeat("\n", half/2)),
		{Name: "a token that is a list", Kind: invalid, Code: http.StatusBadRequest,
			response: says(httpResponse("200 OK", "application/json", `{"token":["`+unspeakable+`"]}`))},
		{Name: "a token in a list of objects", Kind: malformed, Code: http.StatusBadGateway,
			response: says(httpResponse("200 OK", "application/json", `{"x":[{"token":{"value":"`+unspeakable+`"}}],"token":["a",2]}`))},
		{
			Name: "an error that is the token", Kind: rejected, Code: http.StatusBadRequest,
			response: says(httpResponse("206 Partial Content", "application/json",
				`{"error":"no `+unspeakable+`","token":["`+unspeakable+`"],"refresh_token":{"x":"`+unspeakable+`"}}`)),
		},
		{Name: "refused, with a body without end", Kind: rejected, Code: http.StatusBadRequest,
			response: endless("HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n", `{"detail":"no"}`)},
		{Name: "a good token, and an error beside it", Kind: rejected, Code: http.StatusBadRequest,
			response: says(httpResponse("200 OK", "application/json", `{"token":"`+token+`","error":"Unable to login"}`))},
		{
			Name: "an error of a mebibyte", Kind: rejected, Code: http.StatusBadRequest, Growth: parsedGrowth,
			response: says(httpResponse("206 Partial Content", "application/json",
				`{"error":"`+strings.Repeat("no ", mebibyte/3-20)+`"}`)),
		},
		{
			Name: "an error that would be a log line", Kind: rejected, Code: http.StatusBadRequest,
			response: says(httpResponse("206 Partial Content", "application/json",
				`{"error":"no\r\n2026-01-01 [ERROR] \u001b[31mall is lost\u0000"}`)),
		},
	}
}

// deadJWT ended in 2001.
const deadJWT = "eyJhbGciOiJub25lIn0.eyJpYXQiOjk5OTk5OTk5OSwiZXhwIjoxMDAwMDAwMDAwfQ.x"

// manyKeys is an object of many keys, none of which means anything.
func manyKeys() string {
	var b strings.Builder
	b.WriteString("{")
	for n := 0; b.Len() < mebibyte-100; n++ {
		fmt.Fprintf(&b, `"%x":0,`, n)
	}
	b.WriteString(`"x":0}`)
	return b.String()
}

// xmlTricks are responses to a SOAP login.
func xmlTricks() []Trick {
	token := goodToken()
	bad := func(name, body string) Trick {
		return Trick{
			Name: name, SOAP: true, Kind: malformed, Code: http.StatusBadGateway, Growth: growthOf(body),
			response: says(httpResponse("200 OK", "text/xml", body)),
		}
	}
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE lolz [<!ENTITY a "ha">`)
	for n := 'b'; n <= 'z'; n++ {
		fmt.Fprintf(&laughs, `<!ENTITY %c "%s">`, n, strings.Repeat(fmt.Sprintf("&%c;", n-1), 10))
	}
	laughs.WriteString(`]>`)
	manyTimes := strings.Repeat("&a;", 1<<14)
	return []Trick{
		bad("a billion laughs", soapToken(laughs.String(), "&z;")),
		bad("a quadratic blowup", soapToken(`<!DOCTYPE x [<!ENTITY a "`+strings.Repeat("a", 1<<16)+`">]>`, manyTimes)),
		bad("an entity from a file", soapToken(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>`, "&a;")),
		bad("a document type from elsewhere", soapToken(`<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">`, token)),
		bad("an entity that was not declared", soapToken("", "&nbsp;&zzz;"+token)),
		bad("deep elements", strings.Repeat("<a>", mebibyte/3)),
		bad("deep elements, all closed", strings.Repeat("<a>", mebibyte/8)+strings.Repeat("</a>", mebibyte/8)),
		bad("many attributes", `<a `+strings.Repeat(`b="" `, mebibyte/5-10)+`/>`),
		bad("many elements", `<a>`+strings.Repeat(`<b/>`, mebibyte/4-10)+`</a>`),
		bad("a name of a mebibyte", "<"+strings.Repeat("a", mebibyte-10)+"/>"),
		bad("a comment of a mebibyte", "<!--"+strings.Repeat("a", mebibyte-10)+"-->"),
		bad("a comment without end", "<!--"+strings.Repeat("a", 1<<12)),
		bad("CDATA without end", soapToken("", "<![CDATA["+strings.Repeat("a", 1<<12))),
		bad("elements that cross", "<a><b></a></b>"),
		bad("two roots", soapToken("", token)+"<a/>"),
		bad("a NUL in XML", soapToken("", "abc\x00def")),
		bad("no UTF-8 in XML", soapToken("", "abc\xff\xfedef")),
		bad("a line end in the token of SOAP", soapToken("", "abc&#13;&#10;def")),
		bad("JSON for SOAP", `{"access_token":"`+token+`"}`),
		bad("an envelope with nothing in it", `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>`),
	}
}
