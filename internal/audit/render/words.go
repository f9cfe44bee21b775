// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/entry"
	"vault-plugin-secrets-mastersindia/internal/audit/story"
)

// hidden stands for a value that the log has only as an HMAC.
const hidden = "hidden (HMAC)"

// fieldsText is a list of parameters: those with a value as one would type them, then the names of the rest.
func fieldsText(fields []entry.Field) string {
	var parts, unseen, secret []string
	for _, f := range fields {
		switch {
		case f.InClear:
			parts = append(parts, f.Name+"=WITHHELD (the log shows it)")
		case f.Secret:
			secret = append(secret, f.Name)
		case f.Hidden:
			unseen = append(unseen, f.Name)
		default:
			parts = append(parts, f.Name+"="+strconv.Quote(f.Value))
		}
	}
	if len(secret) > 0 {
		parts = append(parts, "secret: "+strings.Join(secret, ", "))
	}
	if len(unseen) > 0 {
		parts = append(parts, hidden+": "+strings.Join(unseen, ", "))
	}
	return strings.Join(parts, "  ")
}

// clock is a time for people.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// number has a comma before each three digits.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// counted is a number of things, of one or of many.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(int64(n)) + " " + thing
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// tokenText is the shortest name that tells a token from others.
func tokenText(t story.TokenName) string {
	const digits = 12
	name := story.NameOf(t)
	if rest, isHMAC := strings.CutPrefix(name, "hmac-sha256:"); isHMAC {
		return "hmac:" + rest[:min(len(rest), digits)] + "…"
	}
	return name
}

// whoText is somebody, and by which auth method they came.
func whoText(w *story.Who) string {
	if w.AuthMethod == "" {
		return w.DisplayName
	}
	mark := ""
	if w.GuessedMethod {
		mark = "?"
	}
	return w.DisplayName + " (" + strings.TrimSuffix(w.AuthMethod, "/") + mark + ")"
}

// idText is the entity, or, for those who have none, the Vault token.
func idText(w *story.Who) string {
	const digits = 12
	switch rest, isHMAC := strings.CutPrefix(w.Accessor, "hmac-sha256:"); {
	case w.EntityID != "":
		return w.EntityID
	case isHMAC:
		return "Vault token hmac:" + rest[:min(len(rest), digits)] + "…"
	case w.Accessor != "": // of an audit device with hmac_accessor=false
		return "Vault token " + w.Accessor
	default:
		return "-"
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
