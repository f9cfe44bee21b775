// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/stored"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	fieldName = "name"
	// listDescription describes every list in OpenAPI.
	listDescription = "keys has the names, and key_info the most important facts of each."
	// mostListReads bounds the concurrent reads of one list, and mostListWarnings those that it says are missing.
	mostListReads, mostListWarnings = 16, 10
)

// nameField is the schema of the name in a path.
func nameField(what string) *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:        framework.TypeString,
		Description: "Name of the " + what + ". Case-sensitive.",
		Required:    true,
	}
}

// failure is an error that an operation can return, besides those that every operation can.
type failure struct {
	status int
	when   string
}

func nameNotFound() failure { return failure{http.StatusNotFound, "it does not exist"} }

// upstreamFailures are the failures of operations that may log in.
func upstreamFailures() []failure {
	return []failure{
		{http.StatusTooManyRequests, "the upstream is throttling logins; the message says until when"},
		{http.StatusBadGateway, "a login failed: the upstream cannot be reached, reports an error, or sends an invalid response"},
		{http.StatusServiceUnavailable, "the last login failed, and the next one is not made before the time in the message"},
		{http.StatusGatewayTimeout, "a login failed: the upstream did not respond in time"},
	}
}

// responds is the OpenAPI description of an operation that returns data.
func responds(description string, fields map[string]*framework.FieldSchema, failures ...failure) map[int][]framework.Response {
	return withFailures(http.StatusOK, framework.Response{Description: description, Fields: fields}, failures)
}

// respondsNothing is the OpenAPI description of an operation that returns no data.
func respondsNothing(description string, failures ...failure) map[int][]framework.Response {
	return withFailures(http.StatusNoContent, framework.Response{Description: description}, failures)
}

// respondsList is the OpenAPI description of a list with the given facts of each name.
func respondsList(what string, facts ...string) map[int][]framework.Response {
	return responds("Names of the "+what+".", listFields(facts...), failure{http.StatusNotFound, "the list is empty"})
}

func listFields(facts ...string) map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"keys":     {Type: framework.TypeStringSlice, Required: true, Description: "Names."},
		"key_info": {Type: framework.TypeMap, Required: true, Description: "By name: " + fieldNames(facts) + "."},
	}
}

func withFailures(status int, success framework.Response, failures []failure) map[int][]framework.Response {
	responses := map[int][]framework.Response{status: {success}}
	for _, f := range failures {
		responses[f.status] = []framework.Response{{Description: f.when}}
	}
	return responses
}

// textField, numberField and so on describe fields that are in every response.
func textField(description string, all ...any) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description, AllowedValues: all}
}

func secretField(description string) *framework.FieldSchema {
	field := textField(description)
	field.DisplayAttrs = &framework.DisplayAttributes{Sensitive: true}
	return field
}

func numberField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeInt, Required: true, Description: description}
}

func boolField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeBool, Required: true, Description: description}
}

func timeField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeTime, Required: true, Description: description + " RFC 3339, UTC."}
}

// maybeTimeField describes a time that may be empty, which OpenAPI's date-time cannot be.
func maybeTimeField(description, without string) *framework.FieldSchema {
	return textField(description + " RFC 3339, UTC; empty " + without + ".")
}

// inResponse describes a written field in the response of a read: durations are seconds there, and there is no default.
func inResponse(written *framework.FieldSchema) *framework.FieldSchema {
	field := &framework.FieldSchema{Type: written.Type, Required: true, Description: written.Description}
	if field.Type == framework.TypeDurationSecond {
		field.Type = framework.TypeInt
		field.Description = strings.Replace(field.Description, "in seconds or as a duration", "in seconds", 1)
	}
	return field
}

// listEntries is a list with the facts that read returns for each name, or nil for one that was deleted meanwhile; Vault makes a
// 404 of an empty list. It warns of entries that cannot be read: one of them must not hide all others. Where storage fails and
// gives none at all, that is the error.
func (b *backend) listEntries(names []string, read func(n int, name string) (map[string]any, error)) (*logical.Response, error) {
	facts, unread := make([]map[string]any, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(mostListReads)
	for n, name := range names {
		group.Go(func() error {
			defer func() {
				if p := recover(); p != nil {
					unread[n] = b.panicked(p, "list", "")
				}
			}()
			facts[n], unread[n] = read(n, name)
			return nil
		})
	}
	_ = group.Wait() // no member returns an error
	info := make(map[string]any, len(names))
	for n, name := range names {
		if facts[n] != nil && unread[n] == nil {
			info[name] = facts[n]
		}
	}
	resp := logical.ListResponseWithInfo(names, info)
	unread = slices.DeleteFunc(unread, func(err error) bool { return err == nil })
	for n, err := range unread {
		switch {
		case len(info) == 0 && !stored.IsDamaged(err):
			return nil, err
		case n < mostListWarnings:
			resp.AddWarning("Details are missing here: " + err.Error() + ".")
		}
	}
	if more := len(unread) - mostListWarnings; more > 0 {
		resp.AddWarning(fmt.Sprintf("Details of %d more names are missing here.", more))
	}
	return resp, nil
}

// display names an operation in OpenAPI.
func display(verb, suffix string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: verb, OperationSuffix: suffix}
}

// The help of config/<name> is generated from the specs of the protocols.

// protocolWords names every protocol and what it is.
func protocolWords() string {
	var words []string
	for _, spec := range upstream.Specs() {
		words = append(words, string(spec.Protocol)+" ("+spec.Summary+")")
	}
	return inWords(words, "or")
}

// formatWords names the request formats of every protocol.
func formatWords() string {
	var words []string
	for _, spec := range upstream.Specs() {
		formats := "none"
		for n, format := range spec.Formats {
			if n == 0 {
				formats = string(format) + " (default)"
				continue
			}
			formats += ", " + string(format)
		}
		words = append(words, string(spec.Protocol)+": "+formats)
	}
	return strings.Join(words, ". ")
}

// defaultWords lists the default for each protocol. Protocols with the same value are grouped.
func defaultWords(valueOf func(upstream.Spec) string) string {
	var values []string
	users := make(map[string][]string)
	for _, spec := range upstream.Specs() {
		value := valueOf(spec)
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
		users[value] = append(users[value], string(spec.Protocol))
	}
	var words []string
	for _, value := range values {
		words = append(words, value+" for "+inWords(users[value], "and"))
	}
	return "Default " + strings.Join(words, ", ")
}

// usedByWords lists the protocols that use a field, with their formats and default.
func usedByWords(field string) string {
	var users []string
	standard := ""
	for _, spec := range upstream.Specs() {
		if !spec.Mentions(field) {
			continue
		}
		users = append(users, string(spec.Protocol)+conditionWords(spec, field))
		if use, _ := spec.Use(field, spec.DefaultFormat()); use.Default != "" {
			standard = " Default " + use.Default + "."
		}
	}
	if len(users) == 1 {
		return standard + " Only for protocol " + users[0] + "."
	}
	return standard + " Protocols " + inWords(users, "and") + "."
}

// conditionWords names the formats with which a protocol uses a field, or "" if it does with all.
func conditionWords(spec upstream.Spec, field string) string {
	var required, optional []string
	for _, format := range spec.Formats {
		switch use, used := spec.Use(field, format); {
		case used && use.Required:
			required = append(required, string(format))
		case used:
			optional = append(optional, string(format))
		}
	}
	some := len(required)+len(optional) < len(spec.Formats)
	switch {
	case some && len(optional) == 0:
		return " with request_format=" + inWords(required, "or") + ", required there"
	case some:
		return " with request_format=" + inWords(append(required, optional...), "or")
	case len(required) > 0 && len(optional) > 0:
		return ", required unless request_format=" + inWords(optional, "or")
	default:
		return ""
	}
}

// inWords joins names for a sentence: a, b and c.
func inWords(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	end := len(names) - 1
	return strings.Join(names[:end], ", ") + " " + last + " " + names[end]
}

const backendHelp = `
The Masters India secrets engine provides short-lived tokens for the APIs of
Masters India (GST e-invoicing, e-way bills, verification) and of Fiserv
FirstVision.

Store an upstream account under config/, create a role for it under role/, and
read the token from token/. All readers of an account share one token, which is
replaced before it expires. The lease of a token ends before the token does.

    $ vault write mastersindia/config/gst preset=einvoice-production \
        username=api-user password=-
    $ vault write mastersindia/role/billing config=gst
    $ vault read mastersindia/token/billing

To check the health of all accounts, with the command to run where one fails:

    $ vault list -detailed mastersindia/status
`

// helpWidth is the width of a field description in Vault's path-help: 80 columns minus the indent.
const helpWidth = 72

// wrapDescriptions breaks the descriptions of all fields into lines, since path-help does not wrap them. OpenAPI joins the lines
// again.
func wrapDescriptions(paths []*framework.Path) {
	for _, path := range paths {
		for _, field := range path.Fields {
			field.Description = wrapped(field.Description, helpWidth)
		}
	}
}

func wrapped(text string, width int) string {
	var lines strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			lines.WriteByte('\n')
			column = 0
		default:
			lines.WriteByte(' ')
			column++
		}
		lines.WriteString(word)
		column += len(word)
	}
	return lines.String()
}

const (
	// helpDocument is the key of the OpenAPI document in the response to a help request.
	helpDocument = "openapi"
	// errorSchema is the name of the schema that all errors share.
	errorSchema = "MastersIndiaError"
)

// completeDocument adds to the SDK's OpenAPI document what the SDK cannot express, and what Vault would drop.
func completeDocument(help map[string]any) {
	doc, has := help[helpDocument].(*framework.OASDocument)
	if !has {
		return
	}
	describeBodies(doc)
	encoded, err := json.Marshal(doc)
	if err != nil {
		return // keep the document of the SDK
	}
	var plain map[string]any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		return
	}
	repeatReferences(plain)
	help[helpDocument] = plain
}

// describeBodies describes response bodies other than data: errors, and the text of the metrics.
func describeBodies(doc *framework.OASDocument) {
	doc.Components.Schemas[errorSchema] = &framework.OASSchema{
		Type: "object",
		Properties: map[string]*framework.OASSchema{"errors": {
			Type: "array", Description: "What happened, and the command to run next.", Items: &framework.OASSchema{Type: "string"},
		}},
	}
	failed := framework.OASContent{
		"application/json": {Schema: &framework.OASSchema{Ref: "#/components/schemas/" + errorSchema}},
	}
	for path, item := range doc.Paths {
		for _, op := range []*framework.OASOperation{item.Get, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			for status, response := range op.Responses {
				switch {
				case status >= http.StatusBadRequest:
					response.Content = failed
				case path == "/"+pathMetrics:
					response.Content = framework.OASContent{"text/plain": {Schema: &framework.OASSchema{Type: "string"}}}
				}
			}
		}
	}
}

// repeatReferences puts each "$ref" a second time as "ref". Vault decodes what a plugin sends by the names of its own fields, one
// of which is Ref, and drops "$ref" (hashicorp/vault#30714): all schemas of requests and responses would be empty. OpenAPI says
// to ignore other keys beside a reference, so the second one does no harm in the original document.
func repeatReferences(node any) {
	switch node := node.(type) {
	case map[string]any:
		if ref, is := node["$ref"].(string); is {
			node["ref"] = ref
		}
		for _, child := range node {
			repeatReferences(child)
		}
	case []any:
		for _, child := range node {
			repeatReferences(child)
		}
	}
}
