// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"io"
	"strings"

	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// HTML writes the report as one page that needs nothing else. What comes from the log is in it as JSON only, in a script element
// that no browser runs; the page's own script shows it as text. Its policy lets nothing else run, and nothing be loaded or sent.
func HTML(w io.Writer, r *story.Report) error {
	const mark = "<!--data-->"
	page := strings.NewReplacer("/*css*/", pageCSS, "/*js*/", pageJS, "{{policy}}", policy()).Replace(pageHTML)
	before, after, _ := strings.Cut(page, mark)
	out := bufio.NewWriterSize(w, 64<<10)
	if _, err := out.WriteString(before + `<script type="application/json" id="report">`); err != nil {
		return err
	}
	if err := writeReport(out, r); err != nil {
		return err
	}
	if _, err := out.WriteString("</script>\n" + after); err != nil {
		return err
	}
	return out.Flush()
}

// policy lets the page's own style and script work, by their hashes, and nothing else.
func policy() string {
	return "default-src 'none'; style-src '" + hashOf(pageCSS) + "'; script-src '" + hashOf(pageJS) +
		"'; base-uri 'none'; form-action 'none'"
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
