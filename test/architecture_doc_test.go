// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// The map matches the tree. Each row of the map exists, and no source file or folder is on none.
func TestArchitectureDoc_MapShowsTheTree(t *testing.T) {
	t.Parallel()
	root := os.DirFS(mounttest.ModuleRoot(t))
	text, err := fs.ReadFile(root, "docs/architecture.md")
	check.NoError(t, err)
	_, section, _ := strings.Cut(string(text), "## The map\n\n```\n")
	rows, _, found := strings.Cut(section, "\n```")
	check.Require(t, found, "there is no map")
	const mapColumn = 23 // where what is said of them begins
	onMap := map[string]bool{}
	for row := range strings.SplitSeq(rows, "\n") {
		for pattern := range strings.FieldsSeq(row[:min(len(row), mapColumn)]) {
			shown, err := fs.Glob(root, path.Clean(pattern))
			check.True(t, err == nil && len(shown) != 0, "the map shows %s, which is not there", pattern)
			for _, file := range shown {
				onMap[file] = true
			}
		}
	}
	unshown := append([]string{"backend", "internal"}, ignoredFolders(t, root)...) // the content of the first two is on the map
	for _, pattern := range []string{"[a-z]*", "backend/*", "internal/*"} {
		paths, err := fs.Glob(root, pattern)
		check.NoError(t, err)
		for _, file := range paths {
			info, err := fs.Stat(root, file)
			check.NoError(t, err)
			source := strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go")
			check.True(t, (!source && (!info.IsDir() || slices.Contains(unshown, file))) || onMap[file], "%s is not on the map", file)
		}
	}
}

// ignoredFolders are the folders of the root that git ignores: what was built, and what the documents' commands make.
func ignoredFolders(t *testing.T, root fs.FS) []string {
	t.Helper()
	text, err := fs.ReadFile(root, ".gitignore")
	check.NoError(t, err)
	var folders []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") && strings.HasSuffix(line, "/") {
			folders = append(folders, strings.Trim(line, "/"))
		}
	}
	return folders
}
