// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// A search that finds nothing proves nothing unless it finds what is there.
func TestLeaks_FindsEveryFormOfSecret(t *testing.T) {
	t.Parallel()
	const secret = `pa"ss & <wörd> 100%\n-4711`
	inJSON := check.Value(json.Marshal(map[string]string{"k": secret}))(t)
	twice := check.Value(json.Marshal(string(inJSON)))(t)
	texts := map[string]string{
		"raw":          "x" + secret + "y",
		"quoted":       fmt.Sprintf("%q", secret),
		"JSON":         string(inJSON),
		"JSON in JSON": string(twice),
		"query":        url.Values{"k": {secret}}.Encode(),
		"path":         url.PathEscape(secret),
		"hex":          "00" + hex.EncodeToString([]byte(secret)),
		"HEX":          strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"XML":          "<k>" + xmlText(secret) + "</k>",
	}
	for before := range 7 {
		text := strings.Repeat("u", before) + secret + ":tail"
		texts[fmt.Sprintf("base64 after %d", before)] = base64.StdEncoding.EncodeToString([]byte(text))
		texts[fmt.Sprintf("base64url after %d", before)] = base64.URLEncoding.EncodeToString([]byte(text))
	}
	leaks := NewLeaks()
	check.NoError(t, leaks.Add("the password", secret))
	for name, text := range texts {
		findings := leaks.SearchText("here", []byte("before "+text+" after"))
		check.True(t, len(findings) == 1 && strings.HasPrefix(findings[0], "the password (") && !strings.Contains(findings[0], secret),
			"%s: got %q, want one finding that names the secret and does not show it", name, findings)
	}
	if findings := leaks.SearchText("here", []byte("pass word 100% 4711 "+strings.Repeat("abcDEF0123+/", 500))); findings != nil {
		t.Errorf("found what is not there: %q", findings)
	}
}

func TestLeaks_ShortSecretRefused(t *testing.T) {
	t.Parallel()
	err := NewLeaks().Add("pin", "1234")
	check.True(t, err != nil, "a secret of four bytes would be found everywhere, and must be refused")
}

func TestLeaks_SearchesFilesAndNames(t *testing.T) {
	t.Parallel()
	const secret = "tok3n-of-the-upstream"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sub/plain.log":          "token=" + secret,
		"sub/" + secret:          "",
		"sub/clean.log":          "nothing",
		"responses/own-response": secret,
		"sub/deep/storage.bin":   "\x00\x01" + secret + "\x02",
	} {
		file := filepath.Join(dir, name)
		check.NoError(t, makeDirs(filepath.Dir(file)))
		check.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	leaks := NewLeaks()
	check.NoError(t, leaks.Add("token", secret))
	findings := check.Value(leaks.SearchTree(dir, func(path string) bool { return filepath.Base(path) == "responses" }))(t)
	check.Equal(t, len(findings), 3, "got %q, want the log, the storage file and the file name", findings)
}

func TestLeaks_SearchesCommandLinesOfDescendants(t *testing.T) {
	t.Parallel()
	if _, err := processParents(); err != nil {
		t.Skip(err)
	}
	const secret = "s3cret-on-a-command-line"
	child := exec.CommandContext(t.Context(), "sh", "-c", "read _ # "+secret)
	child.Env = []string{"PATH=" + os.Getenv("PATH"), "LEAKED=" + secret}
	stdin := check.Value(child.StdinPipe())(t)
	check.NoError(t, child.Start())
	defer func() { _ = stdin.Close(); _ = child.Wait() }()
	leaks := NewLeaks()
	check.NoError(t, leaks.Add("password", secret))
	findings := check.Value(leaks.SearchProcess(os.Getpid()))(t)
	check.Equal(t, len(findings), 2, "got %q, want the command line and the environment of the child", findings)
}
