// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

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
