// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
)

const envelopeNamespace = "http://schemas.xmlsoap.org/soap/envelope/" // SOAP 1.1

// soapError is the text of a Fault. The words are NuSOAP's (inferred: page SOAP shows none).
type soapError string

func (e soapError) Error() string { return string(e) }

// soapCall is one operation with the text of its children.
type soapCall struct {
	name   string
	fields map[string]string
}

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// readSOAPCall reads an envelope. Prefixes are the client's affair; namespaces are not.
func readSOAPCall(contentType string, body []byte) (soapCall, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "text/xml" {
		return soapCall{}, soapError("Request not of type text/xml")
	}
	envelope, err := readXML(body)
	if err != nil {
		return soapCall{}, soapError("error in msg parsing: XML error: not well-formed (invalid token)")
	}
	if envelope.XMLName != (xml.Name{Space: envelopeNamespace, Local: "Envelope"}) {
		return soapCall{}, soapError("error in msg parsing: no SOAP 1.1 envelope")
	}
	for _, child := range envelope.Children {
		if child.XMLName == (xml.Name{Space: envelopeNamespace, Local: "Body"}) && len(child.Children) > 0 {
			return readOperation(child.Children[0])
		}
	}
	return soapCall{}, soapError("error in msg parsing: no operation in the body")
}

func readOperation(op element) (soapCall, error) {
	if op.XMLName.Space != soapNamespace {
		return soapCall{}, soapError("error in msg parsing: the operation is not in the namespace " + soapNamespace)
	}
	call := soapCall{name: op.XMLName.Local, fields: make(map[string]string)}
	for _, child := range op.Children {
		call.fields[child.XMLName.Local] = child.Text
	}
	return call, nil
}

// readXML reads exactly one element: what comes after it may only be space and comments.
func readXML(body []byte) (element, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var root element
	if err := decoder.Decode(&root); err != nil {
		return element{}, err
	}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return element{}, err
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			return element{}, errSyntax
		}
		if _, ok := token.(xml.StartElement); ok {
			return element{}, errSyntax
		}
	}
}
