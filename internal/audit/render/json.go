// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"bufio"
	"encoding/json"
	"io"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// JSON writes the report as one JSON object. Its rows are written one by one, since there may be very many.
func JSON(w io.Writer, r *story.Report) error {
	out := bufio.NewWriterSize(w, 64<<10)
	head := *r
	head.Rows = nil
	text, err := json.MarshalIndent(&head, "", "  ")
	if err != nil {
		return err
	}
	// The rows are the last field, so the object can be left open there.
	const end = "null\n}"
	if _, err := out.Write(text[:len(text)-len(end)]); err != nil {
		return err
	}
	if err := writeRows(out, r.Rows, "\n    "); err != nil {
		return err
	}
	if _, err := out.WriteString("\n}\n"); err != nil {
		return err
	}
	return out.Flush()
}

// writeRows writes a JSON array. Everything that could end a script element is escaped.
func writeRows(out *bufio.Writer, rows []story.Row, separator string) error {
	if err := out.WriteByte('['); err != nil {
		return err
	}
	for n := range rows {
		text, err := json.Marshal(&rows[n])
		if err != nil {
			return err
		}
		between := separator
		if n > 0 {
			between = "," + separator
		}
		if _, err := out.WriteString(between); err != nil {
			return err
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	return out.WriteByte(']')
}
