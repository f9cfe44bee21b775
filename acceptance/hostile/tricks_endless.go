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
		t := bad(name, says(response))
		t.Growth = floodGrowth
		return t
	}
	flood := func(name, beginning, then string) Trick {
		t := bomb(name, "")
		t.response = endless(beginning, then)
		return t
	}
	return []Trick{
		late("says nothing", says("")),
		{Name: "reads nothing", Kind: unavailable, Code: http.StatusGatewayTimeout, Unheard: true, raw: readsNothing},
		late("head byte by byte", dripping("", "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1<<16))),
		late("body byte by byte", dripping(jsonHead+"Content-Length: 1000000\r\n\r\n", token+strings.Repeat("x", 1<<16))),
		late("chunks byte by byte", dripping(jsonHead+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")),
		flood("endless headers", jsonHead, "X-More: more\r\n"),
		flood("endless header line", jsonHead+"X-Long: ", "x"),
		flood("endless status line", "HTTP/1.1 200 O", "K"),
		flood("endless 1xx", "", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
		flood("endless 100", "", "HTTP/1.1 100 Continue\r\n\r\n"),
		late("slow 1xx", slowInformation),
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
		bad("gzip that was not asked for", says(encoded("gzip", pack(token+`"}`)))),
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
	elsewhere := func(name, head string) Trick { // %s in the head is another host's URL
		return bad(name, func(v *Visit) {
			says("HTTP/1.1 " + strings.ReplaceAll(head, "%s", v.Elsewhere()) + "\r\nContent-Length: 2\r\n\r\n{}")(v)
		})
	}
	tricks := []Trick{
		elsewhere("200 with a Location", "200 OK\r\nLocation: %s"),
		elsewhere("200 with a Refresh", "200 OK\r\nRefresh: 0; url=%s"),
		elsewhere("200 with an Alt-Svc", `200 OK`+"\r\n"+`Alt-Svc: h2="%s"; ma=9`),
		elsewhere("redirect to a file", "302 Found\r\nLocation: file:///etc/passwd"),
		elsewhere("redirect without an address", "302 Found"),
		bad("switch of protocols", says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")),
	}
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		tricks = append(tricks, elsewhere(fmt.Sprintf("redirect %d", status), fmt.Sprintf("%d Elsewhere\r\nLocation: %%s", status)))
	}
	return tricks
}
