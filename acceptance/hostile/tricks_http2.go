// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"encoding/binary"
	"io"
	"net/http"
	"strings"
)

// The frames of HTTP/2 by their numbers, and the flags that are needed: see RFC 9113.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9
	frameAltSvc       = 0xa

	flagEnd        = 0x1 // of the stream; on SETTINGS and PING: an acknowledgement
	flagEndHeaders = 0x4

	prefaceLength = 24
)

// frame is a frame in the bytes of the wire.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := make([]byte, 0, 9)
	head = append(head, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags) //nolint:gosec // three bytes
	head = binary.BigEndian.AppendUint32(head, stream)
	return string(head) + payload
}

func uint32Text(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// field is a header field in HPACK, written out in full. Lengths are below 127.
func field(name, value string) string {
	short := func(text string) string { return string([]byte{byte(len(text))}) + text } //nolint:gosec // see above
	return "\x00" + short(name) + short(value)
}

// statusOK is ":status: 200" in HPACK's static table.
const statusOK = "\x88"

// http2 reads what comes, plays the trick for each request, and ends when the other side does.
func (v *Visit) http2() {
	if _, err := io.CopyN(io.Discard, v.in, prefaceLength); err != nil {
		return
	}
	if v.trick.greet != nil {
		v.trick.greet(v)
	} else if !v.send(frame(frameSettings, 0, 0, "")) {
		return
	}
	for {
		kind, flags, stream, ok := v.readFrame()
		if !ok {
			return
		}
		switch {
		case kind == frameSettings && flags&flagEnd == 0:
			v.send(frame(frameSettings, flagEnd, 0, ""))
		case (kind == frameHeaders || kind == frameData) && flags&flagEnd != 0:
			v.asked.Add(1)
			if v.trick.frames != nil {
				v.trick.frames(v, stream)
			}
		}
	}
}

func (v *Visit) readFrame() (kind, flags byte, stream uint32, ok bool) {
	var head [9]byte
	if _, err := io.ReadFull(v.in, head[:]); err != nil {
		return 0, 0, 0, false
	}
	length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
	payload := make([]byte, length)
	if _, err := io.ReadFull(v.in, payload); err != nil {
		return 0, 0, 0, false
	}
	if head[3] == framePing && head[4]&flagEnd == 0 && v.trick.greet == nil {
		v.send(frame(framePing, flagEnd, 0, string(payload)))
	}
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) &^ (1 << 31), true
}

func framed(frames func(stream uint32) string) func(*Visit, uint32) {
	return func(v *Visit, stream uint32) { v.send(frames(stream)) }
}

// floodedWith responds to a request with a beginning, and then the same frames without end.
func floodedWith(beginning, frames func(stream uint32) string) func(*Visit, uint32) {
	return func(v *Visit, stream uint32) {
		if v.send(beginning(stream)) {
			v.flood(frames(stream))
		}
	}
}

func reset(code uint32) func(uint32) string {
	return func(stream uint32) string { return frame(frameReset, 0, stream, uint32Text(code)) }
}

func headers(fields string) func(uint32) string {
	return func(stream uint32) string { return frame(frameHeaders, flagEndHeaders, stream, fields) }
}

func data(flags byte, body string) func(uint32) string {
	return func(stream uint32) string { return frame(frameData, flags, stream, body) }
}

func sequence(parts ...func(uint32) string) func(uint32) string {
	return func(stream uint32) string {
		var all strings.Builder
		for _, part := range parts {
			all.WriteString(part(stream))
		}
		return all.String()
	}
}

// http2Tricks are what only HTTP/2 makes possible.
func http2Tricks() []Trick {
	jsonFields := statusOK + field("content-type", "application/json")
	body := `{"token":"` + goodToken() + `","expires_in":3600}`
	none := func(uint32) string { return "" }
	trick := func(name, kind string, code int, frames func(*Visit, uint32)) Trick {
		return Trick{Name: "HTTP/2: " + name, Speaks: HTTP2, Kind: kind, Code: code, frames: frames}
	}
	gone := func(name string, frames func(*Visit, uint32)) Trick {
		return trick(name, unavailable, http.StatusBadGateway, frames)
	}
	bad := func(name string, frames func(*Visit, uint32)) Trick {
		return trick(name, malformed, http.StatusBadGateway, frames)
	}
	late := func(name string, frames func(*Visit, uint32)) Trick {
		return trick(name, unavailable, http.StatusGatewayTimeout, frames)
	}
	big := func(t Trick) Trick {
		t.Growth = floodGrowth
		return t
	}
	greeted := func(t Trick, greet func(*Visit)) Trick {
		t.greet = greet
		return t
	}
	goodResponse := sequence(headers(jsonFields), data(flagEnd, body))
	return []Trick{
		trick("a good response", "", http.StatusOK, framed(goodResponse)),
		trick("a response that names another service", "", http.StatusOK, func(v *Visit, stream uint32) {
			other := `h2="` + v.trap.Addr().String() + `"; ma=9`
			v.send(frame(frameAltSvc, 0, stream, "\x00\x00"+other) + goodResponse(stream))
		}),
		bad("a redirect", func(v *Visit, stream uint32) {
			v.send(frame(frameHeaders, flagEndHeaders|flagEnd, stream, "\x08\x03307"+field("location", v.Elsewhere())))
		}),
		gone("the stream is refused, always", framed(reset(0x7))),
		gone("the stream is broken off", framed(reset(0x2))),
		gone("wants HTTP/1.1", framed(reset(0xd))),
		gone("goes away from each request", framed(func(uint32) string {
			return frame(frameGoAway, 0, 0, uint32Text(0)+uint32Text(0))
		})),
		gone("goes away for a reason", framed(func(uint32) string {
			return frame(frameGoAway, 0, 0, uint32Text(0)+uint32Text(0xb)+"calm down")
		})),
		bad("the stream is broken off within the body", framed(sequence(headers(jsonFields), data(0, body[:9]), reset(0x2)))),
		bad("a length that is too long", framed(sequence(headers(jsonFields+field("content-length", "9999")), data(flagEnd, body)))),
		bad("a length that is too short", framed(sequence(headers(jsonFields+field("content-length", "9")), data(flagEnd, body)))),
		gone("a body without a head", framed(data(flagEnd, body))),
		bad("a head without a status", framed(headers(field("content-type", "application/json")))),
		bad("a status that is no number", framed(headers("\x08\x03abc"))),
		gone("a header in capitals", framed(headers(statusOK+field("X-Up", "x")))),
		gone("a response to nobody", framed(func(stream uint32) string { return goodResponse(stream + 2) })),
		gone("a promise", framed(func(stream uint32) string {
			return frame(framePush, flagEndHeaders, stream, uint32Text(2)+statusOK)
		})),
		gone("broken compression", framed(headers("\xff\xff\xff\xff\xff\xff\xff"))),
		gone("a window beyond all bounds", framed(func(uint32) string {
			return strings.Repeat(frame(frameWindow, 0, 0, uint32Text(1<<31-1)), 2)
		})),
		gone("a frame of 16 MB", framed(func(stream uint32) string { return "\xff\xff\xff\x00\x00" + uint32Text(stream) })),
		late("says nothing", framed(none)),
		late("a head and no body", framed(headers(jsonFields))),
		big(gone("a head without end", floodedWith(
			func(stream uint32) string { return frame(frameHeaders, 0, stream, jsonFields) },
			func(stream uint32) string {
				return frame(frameContinuation, 0, stream, strings.Repeat(field("x-more", "more"), 99))
			},
		))),
		big(bad("a head that unfolds", framed(headers(statusOK+"\x40\x01x\x7f\xa1\x1e"+strings.Repeat("x", 4000)+
			strings.Repeat("\xbe", 12000))))),
		big(bad("a body without end", floodedWith(headers(jsonFields), data(0, strings.Repeat(" ", 1<<14))))),
		big(late("a body of nothing without end", floodedWith(headers(jsonFields), data(0, "")))),
		big(bad("informational heads without end", floodedWith(none, headers("\x08\x03103")))),
		big(late("pings without end", floodedWith(none, func(uint32) string { return frame(framePing, 0, 0, "12345678") }))),
		big(late("settings without end", floodedWith(none, func(uint32) string { return frame(frameSettings, 0, 0, "") }))),
		big(late("frames of no known kind without end", floodedWith(none, func(uint32) string {
			return frame(0xee, 0, 0, strings.Repeat("x", 1<<14))
		}))),
		greeted(late("no greeting", nil), func(*Visit) {}),
		greeted(late("room for no stream", nil), func(v *Visit) { v.send(frame(frameSettings, 0, 0, "\x00\x03"+uint32Text(0))) }),
		greeted(late("room for no body", nil), func(v *Visit) { v.send(frame(frameSettings, 0, 0, "\x00\x04"+uint32Text(0))) }),
		greeted(gone("noise for a greeting", nil), func(v *Visit) { v.send(strings.Repeat("noise", 100)) }),
		greeted(gone("HTTP/1.1 for a greeting", nil), func(v *Visit) { v.send(httpResponse("200 OK", "application/json", body)) }),
		greeted(gone("goes away at once", nil), func(v *Visit) {
			v.send(frame(frameSettings, 0, 0, "") + frame(frameGoAway, 0, 0, uint32Text(0)+uint32Text(0)))
		}),
	}
}
