// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The operations, as Error.Op names them.
const (
	opLogin   = "login"
	opRefresh = "refresh"
)

// The media types that requests are sent with and responses are asked for in.
const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
	mediaXML  = "text/xml"
)

// message is one request in the making.
type message struct {
	op, url             string
	accept, contentType string
	// headers are the account's own, a later set winning over an earlier one.
	headers []map[string]string
	body    []byte
	// finish adds what only one protocol has; it may be nil.
	finish func(*http.Request)
	// secrets are what the request holds besides the account's own secrets: they must appear in no message.
	secrets []string
	// validFrom and validUntil bound when, on the upstream's clock, the request means something; zero where it always does.
	validFrom, validUntil time.Time
	// timeout bounds the request; 0 means the account's.
	timeout time.Duration
}

// validAt reports whether the request means something to an upstream whose clock shows now.
func (m *message) validAt(now time.Time) bool {
	return m.validUntil.IsZero() || !now.Before(m.validFrom) && now.Before(m.validUntil)
}

// request turns the message into an HTTP request. The protocol's own headers are set last, so that they win.
func (m *message) request(ctx context.Context, userAgent string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", m.accept)
	for _, set := range m.headers {
		for name, value := range set {
			req.Header.Set(name, value)
		}
	}
	if m.contentType != "" {
		req.Header.Set("Content-Type", m.contentType)
	}
	if m.finish != nil {
		m.finish(req)
	}
	return req, checkHeaders(req.Header)
}

// checkHeaders refuses what cannot be sent as a header. The transport would do so as well, in a way that cannot be distinguished
// from a network that fails.
func checkHeaders(headers http.Header) error {
	for name, values := range headers {
		badName := name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
		})
		badValue := strings.ContainsFunc(strings.Join(values, ""), func(r rune) bool {
			return r < ' ' && r != '\t' || r == 0x7f
		})
		if badName || badValue {
			return errors.New("a header cannot be sent")
		}
	}
	return nil
}

// encode writes the fields in the given format and returns the media type that goes with it. The order is that of the
// names, so that equal logins are equal on the wire.
func encode(format Format, fields map[string]string) (body []byte, contentType string) {
	switch format {
	case Form:
		return encodeForm(fields), mediaForm
	case Multipart:
		return encodeMultipart(fields)
	case JSON:
		// A map of strings always encodes.
		body, _ = json.Marshal(fields)
		return body, mediaJSON
	case Query, Assertion: // their protocol writes them
	}
	return nil, ""
}

// encodeForm writes the fields as an HTML form does.
func encodeForm(fields map[string]string) []byte {
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	return []byte(values.Encode())
}

// encodeMultipart writes the fields as multipart/form-data, which the vendor's v2 page calls "form-data".
func encodeMultipart(fields map[string]string) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		// Writing to a buffer does not fail.
		_ = w.WriteField(name, fields[name])
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}
