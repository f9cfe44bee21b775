// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// html writes the report as one page that needs nothing else. What comes from the log is in it as JSON only, in a script element
// that no browser runs; the page's own script shows it as text. Its policy lets nothing else run, and nothing be loaded or sent.
func (w *writer) html(out io.Writer) error {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	parts := map[string]any{
		"CSS": template.CSS(pageCSS), //nolint:gosec // the page's own
		"JS":  template.JS(pageJS),   //nolint:gosec // the page's own
		"Policy": "default-src 'none'; style-src '" + hashOf(pageCSS) + "'; script-src '" + hashOf(pageJS) +
			"'; base-uri 'none'; form-action 'none'",
	}
	if err := page.ExecuteTemplate(out, "head", parts); err != nil {
		return err
	}
	fmt.Fprint(out, `<script type="application/json" id="report">`)
	if err := w.json(out); err != nil {
		return err
	}
	fmt.Fprint(out, "</script>\n")
	return page.ExecuteTemplate(out, "foot", parts)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
