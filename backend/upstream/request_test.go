// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// fieldsOf reads the fields of a request's body, whichever way they are encoded.
func fieldsOf(t *testing.T, r request) map[string]string {
	t.Helper()
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	check.Require(t, err == nil, "Content-Type %q: %v", r.Header.Get("Content-Type"), err)
	fields := map[string]string{}
	switch media {
	case "application/json":
		check.NoError(t, json.Unmarshal([]byte(r.body), &fields))
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(r.body)
		check.Require(t, err == nil, "the body is no form: %v", err)
		for name := range values {
			fields[name] = values.Get(name)
		}
	case "multipart/form-data":
		reader := multipart.NewReader(strings.NewReader(r.body), params["boundary"])
		for {
			part, err := reader.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			check.Require(t, err == nil, "the body is no multipart form: %v", err)
			value, _ := io.ReadAll(part)
			fields[part.FormName()] = string(value)
		}
	default:
		t.Fatalf("Content-Type is %s", media)
	}
	return fields
}

func TestRequest_FieldsInFormat(t *testing.T) {
	t.Parallel()
	jwtFields := map[string]string{"username": testUser, "password": testPassword}
	oauthFields := map[string]string{
		"username": testUser, "password": testPassword, "client_id": testClientID, "client_secret": testClientSecret,
		"grant_type": "password",
	}
	firstVisionFields := map[string]string{
		"client_id": testClientID, "client_secret": testClientSecret, "scope": "accounts cards misc",
		"grant_type": "client_credentials",
	}
	tests := []struct {
		name     string
		protocol upstream.Protocol
		format   upstream.Format
		media    string
		fields   map[string]string
	}{
		{"jwt sends JSON unless set otherwise", upstream.JWT, "", "application/json", jwtFields},
		{"jwt sends JSON", upstream.JWT, upstream.JSON, "application/json", jwtFields},
		{"jwt sends a form", upstream.JWT, upstream.Form, "application/x-www-form-urlencoded", jwtFields},
		{"jwt sends a multipart form", upstream.JWT, upstream.Multipart, "multipart/form-data", jwtFields},
		{"oauth sends JSON unless set otherwise", upstream.OAuth, "", "application/json", oauthFields},
		{"oauth sends a form", upstream.OAuth, upstream.Form, "application/x-www-form-urlencoded", oauthFields},
		{"firstvision sends JSON unless set otherwise", upstream.FirstVision, "", "application/json", firstVisionFields},
	}
	tested := map[requestKind]bool{ // in tests of their own
		{upstream.SOAP, ""}: true, {upstream.FirstVision, upstream.Query}: true, {upstream.FirstVision, upstream.Form}: true,
		{upstream.FirstVision, upstream.Assertion}: true,
	}
	for _, test := range tests {
		tested[requestKind{test.protocol, test.format}] = true
	}
	wantEachTested(t, tested)
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			spec, _ := upstream.SpecOf(test.protocol)
			s := serve(t, always(200, "application/json", `{"`+spec.TokenKeys[0]+`":"`+testOpaqueToken+`"}`))
			a := accountFor(test.protocol, s.URL+"/api/v1/token-auth/?app=x%2Fy")
			a.Format = test.format
			a.Headers = map[string]string{"Productid": "einvoicing_global", "Content-Type": "text/evil", "X-Trace": "7"}
			check.Value(newClient(t, a).Login(context.Background()))(t)
			r := s.only(t)
			check.True(t, r.Method == http.MethodPost && r.RequestURI == "/api/v1/token-auth/?app=x%2Fy", "%s %s", r.Method, r.RequestURI)
			check.Equal(t, fieldsOf(t, r), test.fields, "sent")
			check.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), test.media), "Content-Type is %q", r.Header.Get("Content-Type"))
			want := map[string]string{
				"Accept": "application/json", "User-Agent": "mastersindia-upstream", "Productid": "einvoicing_global",
				"X-Trace": "7", "Authorization": "", "Accept-Encoding": "", "Service": "",
			}
			for header, value := range want {
				check.Equal(t, r.Header.Get(header), value, "header %s", header)
			}
		})
	}
}

// requestKind is what decides which fields a login sends, and how; without a format it is the default one.
type requestKind struct {
	protocol upstream.Protocol
	format   upstream.Format
}

// wantEachTested finds the protocol, or the format of one, whose requests no test knows.
func wantEachTested(t *testing.T, tested map[requestKind]bool) {
	t.Helper()
	for _, spec := range upstream.Specs() {
		for _, format := range append(spec.Formats, "") {
			check.True(t, tested[requestKind{spec.Protocol, format}] || format != "" && format == spec.DefaultFormat(),
				"no test knows what %s sends with request_format=%q: add it to TestRequest_FieldsInFormat", spec.Protocol, format)
		}
	}
}

func TestRequest_FirstVisionQuery(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, scope, want string }{
		{"with no query of its own", "/v1/api/oauth/token", "accounts cards misc",
			"/v1/api/oauth/token?grant_type=client_credentials&scope=accounts%20cards%20misc"},
		{"keeping the query that is there", "/v2/api/oauth/token?appContext=first%20vision", "accounts cards misc",
			"/v2/api/oauth/token?appContext=first%20vision&grant_type=client_credentials&scope=accounts%20cards%20misc"},
		{"with a scope to escape", "/", "a+b c&d", "/?grant_type=client_credentials&scope=a%2Bb%20c%26d"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			s := serve(t, always(200, "application/json", `{"access_token":"`+testOpaqueToken+`","expires_in":7199}`))
			a := accountFor(upstream.FirstVision, s.URL+test.path)
			a.Format, a.Scope = upstream.Query, test.scope
			check.Value(newClient(t, a).Login(context.Background()))(t)
			r := s.only(t)
			check.True(t, r.Method == http.MethodPost && r.RequestURI == test.want, "%s %s, want %s", r.Method, r.RequestURI, test.want)
			id, secret, ok := r.BasicAuth()
			check.True(t, ok && id == testClientID && secret == testClientSecret, "HTTP Basic is %q, %q, %v", id, secret, ok)
			check.True(t, r.body == "" && r.Header.Get("Content-Length") == "0" && r.Header.Get("Content-Type") == "",
				"body %q, headers %v: want an empty body, with its length and without a type", r.body, r.Header)
		})
	}
}

// envelope is what a SOAP server reads. Its operation's children are kept in their order.
type envelope struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Operation struct {
			Fields []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:"urn:server access_new_token"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

func TestRequest_RefreshTokenField(t *testing.T) {
	t.Parallel()
	spec, _ := upstream.SpecOf(upstream.JWT)
	for _, format := range spec.Formats {
		parallel(t, "as "+string(format), func(t *testing.T) {
			s := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`","refresh_token":"next-refresh"}`))
			a := accountFor(upstream.JWT, s.URL)
			a.RefreshURL = s.URL + "/api/v2/api-token-refresh/"
			a.Format = format
			a.Headers = map[string]string{"Productid": "einvoicing_global", "X-Set": "login"}
			a.RefreshHeaders = map[string]string{"Service": "online_service", "X-Set": "refresh"}
			token := check.Value(newClient(t, a).Refresh(context.Background(), "old refresh&token"))(t)
			check.True(t, token.AccessToken == testOpaqueToken && token.RefreshToken == "next-refresh", "the new pair was not read")
			r := s.only(t)
			check.Equal(t, r.RequestURI, "/api/v2/api-token-refresh/", "the request was sent to")
			got := fieldsOf(t, r)
			check.True(t, maps.Equal(got, map[string]string{"token": "old refresh&token"}), "sent %v", got)
			want := map[string]string{"Productid": "einvoicing_global", "Service": "online_service", "X-Set": "refresh"}
			for header, value := range want {
				check.Equal(t, r.Header.Get(header), value, "header %s", header)
			}
		})
	}
}

func TestRefresh_UnsupportedWithoutURL(t *testing.T) {
	t.Parallel()
	for _, p := range protocols() {
		s := serve(t, always(200, "application/json", `{}`))
		a := accountFor(p, s.URL)
		a.RefreshURL = ""
		if spec, _ := upstream.SpecOf(p); !spec.Mentions(upstream.FieldRefreshURL) {
			a.RefreshURL = s.URL
		}
		_, err := newClient(t, a).Refresh(context.Background(), "refresh-token")
		check.True(t, errors.Is(err, upstream.ErrRefreshUnsupported) && s.asked() == 0, "%s: %v after %d requests", p, err, s.asked())
	}
}

func TestRequest_UserAgent(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`))
	c := check.Value(upstream.New(accountFor(upstream.JWT, s.URL), upstream.Options{UserAgent: "engine/1.2.3"}))(t)
	check.Value(c.Login(context.Background()))(t)
	check.Equal(t, s.only(t).UserAgent(), "engine/1.2.3", "User-Agent")
}
