// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package render writes a report for people and for programs. Whatever a log holds, it does no harm to who looks at it.
package render

import (
	"fmt"
	"io"
	"slices"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// Formats are the names of the formats, the default first.
func Formats() []string { return []string{"table", "json", "csv", "html"} }

// Known reports whether there is such a format.
func Known(format string) bool { return slices.Contains(Formats(), format) }

// Write writes the report in a format.
func Write(w io.Writer, format string, r *story.Report) error {
	switch format {
	case "table":
		return Table(w, r)
	case "json":
		return JSON(w, r)
	case "csv":
		return CSV(w, r)
	case "html":
		return HTML(w, r)
	default:
		return fmt.Errorf("there is no format %q", format)
	}
}
