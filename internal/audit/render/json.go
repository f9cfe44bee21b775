// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"bufio"
	"encoding/json"
	"io"
	"reflect"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// JSON writes the report as one JSON object, each element of its lists on a line of its own.
func JSON(w io.Writer, r *story.Report) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if err := writeReport(out, r); err != nil {
		return err
	}
	if err := out.WriteByte('\n'); err != nil {
		return err
	}
	return out.Flush()
}

// writeReport writes what json.Marshal would give for the report, and never has more than one element of a list in memory. All
// that could end a script element is escaped: json.Marshal escapes <, > and & as well as U+2028 and U+2029.
func writeReport(out *bufio.Writer, r *story.Report) error {
	p := pieces{out: out}
	fields := reflect.ValueOf(r).Elem()
	between := "{\n"
	for n := range fields.NumField() {
		value := fields.Field(n)
		name, options, _ := strings.Cut(fields.Type().Field(n).Tag.Get("json"), ",")
		if options == "omitempty" && value.IsZero() {
			continue
		}
		p.text(between + `"` + name + `": `)
		if value.Kind() == reflect.Slice {
			p.list(value)
		} else {
			p.value(value)
		}
		between = ",\n"
	}
	p.text("\n}")
	return p.err
}

// pieces writes pieces of JSON until the first error.
type pieces struct {
	out *bufio.Writer
	err error
}

func (p *pieces) text(text string) {
	if p.err == nil {
		_, p.err = p.out.WriteString(text)
	}
}

func (p *pieces) value(v reflect.Value) {
	if p.err != nil {
		return
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		p.err = err
		return
	}
	_, p.err = p.out.Write(text)
}

func (p *pieces) list(v reflect.Value) {
	between := "\n  "
	p.text("[")
	for n := range v.Len() {
		p.text(between)
		p.value(v.Index(n))
		between = ",\n  "
	}
	p.text("]")
}
