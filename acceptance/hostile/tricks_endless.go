// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	jsonHead  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	aGigabyte = 1 << 30
)

// says sends these bytes, and waits for the other side to let go.
func says(text string) func(*Visit) {
	return func(v *Visit) {
		if v.send(text) {
			v.linger()
		}
	}
}

func endsAfter(text string) func(*Visit) { return func(v *Visit) { v.send(text) } }

func endless(beginning, then string) func(*Visit) {
	return func(v *Visit) {
		if v.send(beginning) {
			v.flood(then)
		}
	}
}

// dripping sends a beginning, and then the rest a byte at a time, for ever.
func dripping(beginning, then string) func(*Visit) {
	return func(v *Visit) {
		if v.send(beginning) {
			v.drip(then)
		}
	}
}

func endlessTricks() []Trick {
	token := `{"token":"` + goodToken() + `","expires_in":3600,"x":"`
	bomb := func(name, response string) Trick {
		return Trick{Name: name, Kind: malformed, Code: http.StatusBadGateway, Growth: floodGrowth, response: says(response)}
	}
	flood := func(name, beginning, then string) Trick {
		t := bomb(name, "")
		t.response = endless(beginning, then)
		return t
	}
	return []Trick{
		{Name: "says nothing", Kind: unavailable, Code: http.StatusGatewayTimeout, response: says("")},
		{Name: "reads nothing", Kind: unavailable, Code: http.StatusGatewayTimeout, Unheard: true, raw: readsNothing},
		{Name: "head byte by byte", Kind: unavailable, Code: http.StatusGatewayTimeout,
			response: dripping("", "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1<<16))},
		{Name: "body byte by byte", Kind: unavailable, Code: http.StatusGatewayTimeout,
			response: dripping(jsonHead+"Content-Length: 1000000\r\n\r\n", token+strings.Repeat("x", 1<<16))},
		{Name: "chunks byte by byte", Kind: unavailable, Code: http.StatusGatewayTimeout,
			response: dripping(jsonHead+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")},
		flood("endless headers", jsonHead, "X-More: more\r\n"),
		flood("endless header line", jsonHead+"X-Long: ", "x"),
		flood("endless status line", "HTTP/1.1 200 O", "K"),
		flood("endless 1xx", "", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
		flood("endless 100", "", "HTTP/1.1 100 Continue\r\n\r\n"),
		{Name: "slow 1xx", Kind: unavailable, Code: http.StatusGatewayTimeout, response: slowInformation},
		flood("endless body", jsonHead+"\r\n"+token, "x"),
		flood("endless chunks", jsonHead+"Transfer-Encoding: chunked\r\n\r\n", "400\r\n"+strings.Repeat(" ", 1<<10)+"\r\n"),
		flood("endless chunk of a gigabyte", jsonHead+"Transfer-Encoding: chunked\r\n\r\n40000000\r\n", " "),
		flood("endless chunk extension", jsonHead+"Transfer-Encoding: chunked\r\n\r\n1;", "x"),
		flood("endless trailers", jsonHead+"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n", "X-More: more\r\n"),
		flood("a gigabyte, announced", fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", jsonHead, aGigabyte, token), "x"),
		{Name: "a gigabyte of error page", Kind: unavailable, Code: http.StatusBadGateway, Growth: floodGrowth,
			response: endless("HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n\r\n", "<br>")},
		flood("an exabyte, announced", jsonHead+"Content-Length: 9223372036854775807\r\n\r\n", "x"),
		bomb("gzip bomb", gzipBomb("gzip")),
		bomb("deflate bomb", gzipBomb("deflate, gzip")),
		{Name: "gzip that was not asked for", Kind: malformed, Code: http.StatusBadGateway, response: says(zipped(token + `"}`))},
	}
}

// readsNothing does not read until every caller has given up.
func readsNothing(v *Visit) {
	select {
	case <-time.After(2 * timeout):
		v.linger()
	case <-v.end:
	}
}

// slowInformation says every now and then that it is still at it.
func slowInformation(v *Visit) {
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for v.send("HTTP/1.1 102 Processing\r\n\r\n") {
		select {
		case <-tick.C:
		case <-v.end:
			return
		}
	}
}

// gzipBomb is a response of half a MiB which becomes half a gigabyte when it is unpacked. Several gzip files in a row are one.
func gzipBomb(encoding string) string {
	const packed, unpacked = 1 << 19, 16 << 20
	part := pack(strings.Repeat(" ", unpacked))
	return encoded(encoding, strings.Repeat(part, packed/len(part)))
}

func zipped(body string) string { return encoded("gzip", pack(body)) }

func encoded(encoding, body string) string {
	return fmt.Sprintf("%sContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", jsonHead, encoding, len(body), body)
}

func pack(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body)) // writing to a buffer does not fail
	_ = w.Close()
	return b.String()
}

func redirectTricks() []Trick {
	var tricks []Trick
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		tricks = append(tricks, Trick{
			Name: fmt.Sprintf("redirect %d", status), Kind: malformed, Code: http.StatusBadGateway,
			response: func(v *Visit) {
				says(fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, v.Elsewhere()))(v)
			},
		})
	}
	elsewhere := func(header string) func(*Visit) {
		return func(v *Visit) {
			says("HTTP/1.1 200 OK\r\n" + fmt.Sprintf(header, v.Elsewhere()) + "\r\nContent-Length: 2\r\n\r\n{}")(v)
		}
	}
	return append(tricks,
		Trick{Name: "200 with a Location", Kind: malformed, Code: http.StatusBadGateway, response: elsewhere("Location: %s")},
		Trick{Name: "200 with a Refresh", Kind: malformed, Code: http.StatusBadGateway, response: elsewhere("Refresh: 0; url=%s")},
		Trick{Name: "200 with an Alt-Svc", Kind: malformed, Code: http.StatusBadGateway, response: elsewhere(`Alt-Svc: h2=%q; ma=9`)},
		Trick{
			Name: "redirect to a file", Kind: malformed, Code: http.StatusBadGateway,
			response: says("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
		},
		Trick{
			Name: "redirect without an address", Kind: malformed, Code: http.StatusBadGateway,
			response: says("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
		},
		Trick{
			Name: "switch of protocols", Kind: malformed, Code: http.StatusBadGateway,
			response: says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
		},
	)
}
