// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"fmt"
	"net/http"
	"strings"
)

// wsdl describes both operations. No WSDL of the vendor's is public: this one is what NuSOAP would make of page SOAP.
func (s *Simulator) wsdl(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	operations := []soapOperation{
		{
			name:   opLogin,
			input:  []string{s.soapNames.username, s.soapNames.password, "client_id", "client_secret", "grant_type"},
			output: []string{"access_token", "expires_in", "token_type", "error_description"},
		},
		{
			name:   opInvoice,
			input:  []string{"access_token", "user_gstin", "data_source"},
			output: []string{"results"},
		},
	}
	var messages, ports, bindings strings.Builder
	for _, op := range operations {
		messages.WriteString(op.messages())
		ports.WriteString(op.port())
		bindings.WriteString(op.binding())
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="urn:server" targetNamespace="urn:server">
` + messages.String() + `<portType name="serverPortType">
` + ports.String() + `</portType>
<binding name="serverBinding" type="tns:serverPortType">
  <soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
` + bindings.String() + `</binding>
<service name="server">
  <documentation>Simulated: this is not Masters India.</documentation>
  <port name="serverPort" binding="tns:serverBinding">
    <soap:address location="` + xmlText(scheme+"://"+r.Host+pathSOAP) + `"/>
  </port>
</service>
</definitions>
`
}

type soapOperation struct {
	name          string
	input, output []string
}

func (op soapOperation) messages() string {
	return op.message("Request", op.input) + op.message("Response", op.output)
}

func (op soapOperation) message(suffix string, parts []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<message name=%q>\n", op.name+suffix)
	for _, part := range parts {
		fmt.Fprintf(&b, "  <part name=\"%s\" type=\"xsd:string\"/>\n", xmlText(part))
	}
	b.WriteString("</message>\n")
	return b.String()
}

func (op soapOperation) port() string {
	return fmt.Sprintf(`  <operation name="%[1]s">
    <input message="tns:%[1]sRequest"/>
    <output message="tns:%[1]sResponse"/>
  </operation>
`, op.name)
}

// binding has the soapAction that NuSOAP makes: namespace, hash sign, operation.
func (op soapOperation) binding() string {
	return fmt.Sprintf(`  <operation name="%[1]s">
    <soap:operation soapAction="urn:server#%[1]s" style="rpc"/>
    <input><soap:body use="literal" namespace="urn:server"/></input>
    <output><soap:body use="literal" namespace="urn:server"/></output>
  </operation>
`, op.name)
}
