// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxXMLDepth is far deeper than any SOAP response; the parser keeps a record of each element that is still open.
const maxXMLDepth = 64

// soapReader picks the few known texts out of a SOAP response, by local name and at whatever depth: the response element is
// named differently for success and failure, and NuSOAP may wrap what it holds in a <return>.
type soapReader struct {
	// open holds the names of the elements that are open; sawRoot is set once there was one.
	open    []string
	sawRoot bool
	// inside is the response or the Fault that is being read, and depth is how many elements were open with it.
	inside soapPart
	depth  int
	// leaf collects the text of the element that was opened last, bare the text that stands in the response itself.
	leaf, bare strings.Builder

	sawFault bool
	// isErrorElement is set where the response element is the one that the vendor's page shows for an error.
	isErrorElement bool

	texts  map[string]string
	tokens []string
	seen   map[string]bool
}

// soapPart is a part of the response that means something.
type soapPart int

const (
	soapNothing soapPart = iota
	soapResponse
	soapFault
)

// readSOAP reads a SOAP response.
func readSOAP(body []byte, spec Spec) *grant {
	body, problem := plainText(body)
	if problem != "" {
		return &grant{problem: problem}
	}
	s := &soapReader{texts: map[string]string{}, seen: map[string]bool{}}
	problem = s.parse(body)
	r := &grant{problem: problem, names: s.seen, tokens: s.tokens}
	if problem != "" {
		// A gateway before the SOAP server may speak JSON, and its status then means what it means elsewhere.
		v, notJSON := decodeJSON(body)
		r.isJSON = notJSON == ""
		if _, r.isObject = v.(map[string]any); r.isJSON {
			inner := readJSON(body, spec)
			r.fault, r.tokens = inner.fault, append(r.tokens, inner.exposed()...)
		}
		return r
	}
	r.token, r.refresh = withoutScheme(s.texts["access_token"]), withoutScheme(s.texts["refresh_token"])
	r.expiresIn, r.lifeUnit = s.texts["expires_in"], spec.LifeUnit
	bare := strings.TrimSpace(s.bare.String())
	if r.token == "" && strings.HasPrefix(bare, "{") {
		// PHP likes to return JSON in a string, also over SOAP.
		inner := readJSON([]byte(bare), spec)
		inner.names, inner.isJSON, inner.isObject = s.seen, false, false
		return inner
	}
	r.fault = s.fault(bare)
	if r.fault == nil && r.token == "" {
		r.tokens = append(r.tokens, bare)
	}
	return r
}

// parse goes over the document once. Entities that a document declares are never expanded: a declaration of any kind ends
// the reading, as SOAP forbids them all.
func (s *soapReader) parse(body []byte) (problem problemText) {
	d := xml.NewDecoder(bytes.NewReader(body))
	// NuSOAP labels its responses ISO-8859-1 whatever they hold. The bytes are known to be UTF-8 by now.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s.finish()
		}
		if err != nil {
			return xmlProblem(err)
		}
		if problem := s.take(token); problem != "" {
			return problem
		}
	}
}

// xmlProblem says what the parser found, but not in its words: those quote the document.
func xmlProblem(err error) problemText {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok && syntax.Msg == "unexpected EOF" {
		return problemCut
	}
	return problemNotXML
}

func (s *soapReader) finish() (problem problemText) {
	if !s.sawRoot {
		return problemNotXML
	}
	return ""
}

// take reads one token of the document.
func (s *soapReader) take(token xml.Token) (problem problemText) {
	switch token := token.(type) {
	case xml.Directive:
		return problemDoctype
	case xml.StartElement:
		return s.start(token.Name.Local)
	case xml.EndElement:
		s.end()
	case xml.CharData:
		return s.text(token)
	}
	return ""
}

func (s *soapReader) start(name string) (problem problemText) {
	if len(s.open) == 0 && s.sawRoot {
		return problemTrailing
	}
	if len(s.open) == maxXMLDepth {
		return problemDepth
	}
	s.sawRoot = true
	s.open = append(s.open, name)
	s.seen[name] = true
	s.leaf.Reset()
	switch {
	case name == "Fault":
		s.sawFault = true
		s.inside, s.depth = soapFault, len(s.open)
	case s.inside == soapNothing && (name == "access_new_tokenResponse" || name == "access_tokenResponse"):
		s.inside, s.depth = soapResponse, len(s.open)
		s.isErrorElement = name == "access_tokenResponse"
	}
	return ""
}

// text collects character data. A response may hold its error as bare text, where others have elements.
func (s *soapReader) text(text []byte) (problem problemText) {
	if len(s.open) == 0 {
		return s.outside(text)
	}
	s.leaf.Write(text)
	if s.inside == soapResponse && (len(s.open) == s.depth || s.open[len(s.open)-1] == "return") {
		s.bare.Write(text)
	}
	return ""
}

// outside judges text that stands in no element, where there may be white space only.
func (s *soapReader) outside(text []byte) (problem problemText) {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return ""
	case s.sawRoot:
		return problemTrailing
	default:
		return problemNotXML
	}
}

// end keeps the text of the element that closes, if it is one that the grant is made from. The first of a name counts.
func (s *soapReader) end() {
	name, text := s.open[len(s.open)-1], strings.TrimSpace(s.leaf.String())
	s.leaf.Reset()
	if s.wanted(name) && s.texts[name] == "" {
		s.texts[name] = text
	}
	if name == "access_token" || name == "refresh_token" {
		s.tokens = append(s.tokens, text)
	}
	if len(s.open) == s.depth {
		s.inside, s.depth = soapNothing, 0
	}
	s.open = s.open[:len(s.open)-1]
}

func (s *soapReader) wanted(name string) bool {
	switch name {
	case "access_token", "refresh_token", "expires_in", "error", "error_description":
		return s.inside == soapResponse
	case "faultcode", "faultstring":
		return s.inside == soapFault
	default:
		return false
	}
}

// fault returns the error in the response, nil if there is none. Bare text counts only where no token stands
// beside it: a server that prints a notice into its response has still logged us in.
func (s *soapReader) fault(bare string) *fault {
	if s.sawFault {
		return faultFromSOAP(s.texts["faultcode"], s.texts["faultstring"])
	}
	text, description := s.texts["error"], s.texts["error_description"]
	if truthy(text) || truthy(description) {
		return faultFromError(text, description)
	}
	if truthy(bare) && s.texts["access_token"] == "" && s.mayBeError(bare) {
		return faultFromError(bare, "")
	}
	return nil
}

// mayBeError reports whether bare text is an error: a sentence or a known code anywhere, and any short word in the element
// that the vendor's page shows for errors. Any other single word may be the token.
func (s *soapReader) mayBeError(bare string) bool {
	const longWord = 16
	return oauthKind(bare) != "" || len(strings.Fields(bare)) > 1 || s.isErrorElement && len(bare) < longWord
}

// faultFromSOAP reads a Fault of SOAP 1.1. Its code says who is to blame, unless its text is an OAuth code, which says more.
func faultFromSOAP(code, text string) *fault {
	_, local, found := strings.Cut(code, ":")
	if !found {
		local = code
	}
	class, sub, _ := strings.Cut(local, ".")
	f := &fault{code: local, text: text}
	switch {
	case oauthKind(text) != "":
		f.kind, f.code, f.text = oauthKind(text), strings.TrimSpace(text), ""
	case class == "Client" && strings.HasPrefix(sub, "Authentication"):
		f.kind = Rejected
	case class == "Client", class == "VersionMismatch", class == "MustUnderstand":
		f.kind = Invalid
	default:
		// A Fault over HTTP 200 is no refusal of credentials, so it counts as the 500 that SOAP wants it sent with.
		f.status = 500
	}
	return f
}
