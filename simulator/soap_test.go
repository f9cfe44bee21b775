// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const soapPath = "/api.einvoice.php"

func soapEnvelope(body string) string {
	return `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:server">` +
		`<soapenv:Header/><soapenv:Body>` + body + `</soapenv:Body></soapenv:Envelope>`
}

// soapLogin writes a login with the words of page SOAP as element names.
func soapLogin(username, password, clientID, clientSecret, grantType string) string {
	return soapLoginWith("username", "passwd", username, password, clientID, clientSecret, grantType)
}

func soapLoginWith(userName, passwordName, username, password, clientID, clientSecret, grantType string) string {
	var b strings.Builder
	b.WriteString("<urn:access_new_token>")
	for _, field := range [][2]string{
		{userName, username}, {passwordName, password}, {"client_id", clientID}, {"client_secret", clientSecret},
		{"grant_type", grantType},
	} {
		b.WriteString("<" + field[0] + ">")
		_ = xml.EscapeText(&b, []byte(field[1]))
		b.WriteString("</" + field[0] + ">")
	}
	b.WriteString("</urn:access_new_token>")
	return soapEnvelope(b.String())
}

// soapResponse reads the parts of a response that matter.
type soapResponse struct {
	XMLName  xml.Name
	Encoding string `xml:"http://schemas.xmlsoap.org/soap/envelope/ encodingStyle,attr"`
	Body     struct {
		Login *struct {
			AccessToken      string  `xml:"access_token"`
			ExpiresIn        *string `xml:"expires_in"`
			TokenType        string  `xml:"token_type"`
			ErrorDescription *string `xml:"error_description"`
		} `xml:"urn:server access_new_tokenResponse"`
		Refused *struct {
			Text     string     `xml:",chardata"`
			Children []xml.Name `xml:",any"`
		} `xml:"urn:server access_tokenResponse"`
		Invoice *struct {
			Status           string `xml:"results>status"`
			Error            string `xml:"error"`
			ErrorDescription string `xml:"error_description"`
		} `xml:"urn:server eInvoiceGenerateResponse"`
		Fault *struct {
			Code string `xml:"faultcode"`
			Text string `xml:"faultstring"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

func (b *bed) soap(path, envelope string, header ...string) (int, soapResponse) {
	b.t.Helper()
	got := b.call(http.MethodPost, path, envelope, append([]string{"Content-Type", typeXML}, header...)...)
	var parsed soapResponse
	if err := xml.Unmarshal([]byte(got.body), &parsed); err != nil {
		b.t.Fatalf("%s: %v", got.body, err)
	}
	check.Equal(b.t, got.header.Get("Content-Type"), "text/xml; charset=UTF-8", "content type")
	return got.status, parsed
}

func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	plain := account(simulator.SOAP, func(a *simulator.Account) { a.Password = "p<&>\"' ß" })
	silent := plain
	silent.Username, silent.OmitExpiry = "silent", true
	b := newBed(t, plain, silent)
	tests := []struct {
		name, path, envelope string
		expiry               bool
	}{
		{"as documented", soapPath, soapLogin(plain.Username, plain.Password, plain.ClientID, plain.ClientSecret, "password"), true},
		{"the page's URL", soapPath + "?wsdl",
			soapLogin(plain.Username, plain.Password, plain.ClientID, plain.ClientSecret, "password"), true},
		{"other prefixes", soapPath, `<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>` +
			`<access_new_token xmlns="urn:server"><username>` + plain.Username + `</username><passwd><![CDATA[` + plain.Password +
			`]]></passwd><client_id>` + plain.ClientID + `</client_id><client_secret>` + plain.ClientSecret +
			`</client_secret><grant_type>password</grant_type></access_new_token></e:Body></e:Envelope> <!-- end -->`, true},
		{"no expiry", soapPath, soapLogin("silent", plain.Password, plain.ClientID, plain.ClientSecret, "password"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, got := b.soap(test.path, test.envelope, "SOAPAction", `"urn:server#access_new_token"`)
			login := got.Body.Login
			check.Require(t, status == http.StatusOK && login != nil, "got %d %+v", status, got)
			check.True(t, regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(login.AccessToken) && b.TokenAlive(login.AccessToken),
				"token %q", login.AccessToken)
			check.True(t, login.TokenType == "bearer" && login.ErrorDescription != nil && *login.ErrorDescription == "", "got %+v", login)
			check.True(t, test.expiry == (login.ExpiresIn != nil) && (!test.expiry || *login.ExpiresIn == "14400"),
				"expires_in %v", login.ExpiresIn)
		})
	}
}

func TestSOAPRefusals(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.SOAP, nil)
	tests := []struct{ name, envelope, want string }{
		{"wrong password", soapLogin(a.Username, "x", a.ClientID, a.ClientSecret, "password"), "invalid_grant"},
		{"wrong client", soapLogin(a.Username, a.Password, a.ClientID, "x", "password"), "invalid_client"},
		{"no password", soapLogin(a.Username, "", a.ClientID, a.ClientSecret, "password"), "invalid_request"},
		{"grant type", soapLogin(a.Username, a.Password, a.ClientID, a.ClientSecret, "code"), "unsupported_grant_type"},
		{"other element names", soapLoginWith("Username", "password", a.Username, a.Password, a.ClientID, a.ClientSecret, "password"),
			"invalid_request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, got := b.soap(soapPath, test.envelope)
			check.Require(t, status == http.StatusOK && got.Body.Refused != nil && got.Encoding == "Get Access token",
				"got %d %+v", status, got)
			r := got.Body.Refused
			check.True(t, r.Text == " "+test.want+" " && len(r.Children) == 0, "want the bare text %s, got %+v", test.want, r)
		})
	}
}

func TestSOAPFaults(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.SOAP, nil)
	good := soapLogin(a.Username, a.Password, a.ClientID, a.ClientSecret, "password")
	tests := []struct{ name, contentType, envelope, want string }{
		{"cut", typeXML, good[:len(good)/2], "not well-formed"},
		{"empty", typeXML, "", "not well-formed"},
		{"two documents", typeXML, good + good, "not well-formed"},
		{"text after it", typeXML, good + "x", "not well-formed"},
		{"broken after it", typeXML, good + "<", "not well-formed"},
		{"JSON", "application/json", "{}", "Request not of type text/xml"},
		{"SOAP 1.2", typeXML, strings.Replace(good, "http://schemas.xmlsoap.org/soap/envelope/",
			"http://www.w3.org/2003/05/soap-envelope", 1), "no SOAP 1.1 envelope"},
		{"empty body", typeXML, soapEnvelope(""), "no operation"},
		{"namespace", typeXML, strings.Replace(good, "urn:server", "urn:client", 1), "not in the namespace urn:server"},
		{"operation", typeXML, soapEnvelope("<urn:no_such/>"), "Operation 'no_such' is not defined"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, got := b.soap(soapPath, test.envelope, "Content-Type", test.contentType)
			check.Require(t, status == http.StatusInternalServerError && got.Body.Fault != nil, "got %d %+v", status, got)
			f := got.Body.Fault
			check.True(t, f.Code == "SOAP-ENV:Client" && strings.Contains(f.Text, test.want), "got %+v", f)
		})
	}
}

func TestSOAP_PostOnly(t *testing.T) {
	t.Parallel()
	check.Equal(t, newBed(t).call(http.MethodGet, soapPath+"?wsdl", "").status, http.StatusMethodNotAllowed, "status")
}
