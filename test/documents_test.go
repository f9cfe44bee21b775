// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// Each relative link of each document names a file or folder that is there, and each anchor a heading.
func TestDocuments_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	root := os.DirFS(mounttest.ModuleRoot(t))
	links := 0
	for _, file := range documentsIn(t, root) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(proseOf(t, root, file), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, ":") {
				continue // another host
			}
			links++
			to := file
			if target != "" {
				to = path.Join(path.Dir(file), target)
			}
			if _, err := fs.Stat(root, to); err != nil {
				t.Errorf("%s links to %s: %v", file, link[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchorsOf(t, root, to), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, link[1], to)
			}
		}
	}
	check.True(t, links >= 100, "only %d links were found", links)
}

// TestDocuments_EveryProtocolAndPresetIsThere: docs/configure.md has a command for each protocol, and the README each preset.
func TestDocuments_EveryProtocolAndPresetIsThere(t *testing.T) {
	t.Parallel()
	root := os.DirFS(mounttest.ModuleRoot(t))
	read := func(file string) string {
		text, err := fs.ReadFile(root, file)
		check.NoError(t, err)
		return string(text)
	}
	readme := read("README.md")
	shown := map[string]bool{}
	for _, command := range regexp.MustCompile(`vault write mastersindia/config/\S+ (protocol|preset)=([\w-]+)`).FindAllStringSubmatch(read("docs/configure.md"), -1) {
		protocol := command[2]
		if command[1] == "preset" {
			protocol = presetTable()[command[2]].protocol
		}
		shown[protocol] = true
	}
	for _, spec := range upstream.Specs() {
		check.True(t, shown[string(spec.Protocol)], "docs/configure.md has no … protocol=%s, or a preset of it", spec.Protocol)
	}
	for _, name := range presets() {
		check.True(t, strings.Contains(readme, "`"+name+"`"), "README.md does not say who uses the preset %s", name)
	}
}

// documentsIn are the documents of the project.
func documentsIn(t *testing.T, root fs.FS) []string {
	t.Helper()
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "examples/*/*.md"} {
		files, err := fs.Glob(root, pattern)
		check.NoError(t, err)
		documents = append(documents, files...)
	}
	return documents
}

// proseOf is a document without its blocks of code.
func proseOf(t *testing.T, root fs.FS, file string) string {
	t.Helper()
	text, err := fs.ReadFile(root, file)
	check.NoError(t, err)
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(string(text), "")
}

// anchorsOf are the anchors that GitHub gives to the headings of a document.
func anchorsOf(t *testing.T, root fs.FS, file string) []string {
	t.Helper()
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(proseOf(t, root, file), -1) {
		kept := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(kept, " ", "-"))
	}
	return anchors
}

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
