// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package release_test checks what a release is made from: the files that only run when there is a release, and that nobody would
// see break before.
package release_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/internal/check"
)

const root = "../.."

// goreleaser is the part of .goreleaser.yaml that decides which files there are, what is in them and what they are called.
type goreleaser struct {
	ProjectName string `yaml:"project_name"`
	Builds      []struct {
		Dir, Main, Binary    string
		Env, Flags, Ldflags  []string
		Goos, Goarch, Ignore []string
		ModTimestamp         string `yaml:"mod_timestamp"`
	}
	Archives []archive
	Sboms    []struct {
		IDs       []string
		Artifacts string
	}
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
		Algorithm    string
		IDs          []string
		Disable      string
		Split        bool
		ExtraFiles   []extraFile `yaml:"extra_files"`
	}
	Signs []struct {
		Artifacts, Signature string
	}
	Release struct {
		Draft      bool
		ExtraFiles []extraFile `yaml:"extra_files"`
	}
}

type archive struct {
	IDs             []string
	Formats         []string
	NameTemplate    string `yaml:"name_template"`
	FormatOverrides []struct {
		Goos    string
		Formats []string
	} `yaml:"format_overrides"`
	BuildsInfo struct{ Mtime string } `yaml:"builds_info"`
	Files      []struct {
		Src  string
		Info struct{ Mtime string }
	}
}

type extraFile struct {
	Glob         string
	NameTemplate string `yaml:"name_template"`
}

func readGoreleaser(t *testing.T) goreleaser {
	t.Helper()
	var g goreleaser
	check.NoError(t, yaml.Unmarshal(read(t, ".goreleaser.yaml"), &g))
	return g
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text := check.Value(os.ReadFile(filepath.Join(root, name)))(t)
	return text
}

// fill fills one of GoReleaser's templates as GoReleaser does for version 9.8.7.
func fill(t *testing.T, text string, fields map[string]string) string {
	t.Helper()
	all := map[string]string{
		"Version": "9.8.7", "ProjectName": "vault-plugin-secrets-mastersindia",
		"FullCommit": "0123456789abcdef0123456789abcdef01234567",
	}
	maps.Copy(all, fields)
	parsed := check.Value(template.New("").Option("missingkey=error").Parse(text))(t)
	var filled bytes.Buffer
	if err := parsed.Execute(&filled, all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return filled.String()
}

// TestAReleaseIsBuiltAsMakeBuilds keeps the published bytes those that everybody can make.
func TestAReleaseIsBuiltAsMakeBuilds(t *testing.T) {
	t.Parallel()
	// Within a make that runs this test, make would say which directory it enters.
	made := exec.Command("make", "--no-print-directory", "-n", "build", "VERSION=v9.8.7", "COMMIT=0123456789ab")
	made.Dir = root
	output := check.Value(made.Output())(t)
	commands := strings.Split(strings.TrimSpace(string(output)), "\n")
	g := readGoreleaser(t)
	check.True(t, len(g.Builds) == len(commands), "GoReleaser builds %d programs, make build %d", len(g.Builds), len(commands))
	for _, b := range g.Builds {
		change, bin := "", "bin/"
		if b.Dir != "" {
			change, bin = "-C "+b.Dir+" ", "../bin/"
		}
		command := strings.Join(b.Env, " ") + " go build " + change + strings.Join(b.Flags, " ") +
			` -ldflags "` + fill(t, strings.Join(b.Ldflags, " "), nil) + `" -o ` + bin + b.Binary + " " + b.Main
		check.True(t, slices.Contains(commands, command), "GoReleaser runs\n%s\nbut make build\n%s", command, output)
	}
}

func TestEveryProgramIsReleasedForEveryPlatform(t *testing.T) {
	t.Parallel()
	programs := check.Value(filepath.Glob(filepath.Join(root, "cmd", "*")))(t)
	released := map[string]bool{}
	for _, b := range readGoreleaser(t).Builds {
		released[b.Binary] = true
		check.True(t, b.Main == "./cmd/"+b.Binary || b.Dir+b.Main == "audit.", "%s is built from %s in %q", b.Binary, b.Main, b.Dir)
		if !slices.Equal(b.Goos, []string{"linux", "darwin", "windows"}) || !slices.Equal(b.Goarch, []string{"amd64", "arm64"}) ||
			len(b.Ignore) > 0 {
			t.Errorf("%s is built for %v on %v, without %v", b.Binary, b.Goos, b.Goarch, b.Ignore)
		}
		check.True(t, b.ModTimestamp == "{{ .CommitTimestamp }}", "%s has the time %q: another each time", b.Binary, b.ModTimestamp)
	}
	for _, p := range programs {
		check.True(t, released[filepath.Base(p)], "%s is not released", filepath.Base(p))
	}
}

// TestOneSHA256SUMSCoversAll finds a name of its own for each file, and nothing that is left out.
func TestOneSHA256SUMSCoversAll(t *testing.T) {
	t.Parallel()
	g := readGoreleaser(t)
	names := map[string]bool{}
	add := func(name string) {
		check.True(t, !names[name], "two files would be called %s", name)
		names[name] = true
	}
	for _, a := range g.Archives {
		check.True(t, len(a.IDs) == 0, "archives of %v leave out the others", a.IDs)
		for _, goos := range g.Builds[0].Goos {
			for _, arch := range g.Builds[0].Goarch {
				nameFiles(t, g, a, map[string]string{"Os": goos, "Arch": arch}, add)
			}
		}
	}
	for _, want := range []string{
		"vault-plugin-secrets-mastersindia_v9.8.7_linux_amd64", "vault-plugin-secrets-mastersindia_v9.8.7_windows_arm64.exe",
		"mastersindia-audit_v9.8.7_darwin_arm64", "mastersindia-simulator_v9.8.7_linux_arm64",
		"vault-plugin-secrets-mastersindia_v9.8.7_linux_amd64.tar.gz", "vault-plugin-secrets-mastersindia_v9.8.7_windows_amd64.zip",
	} {
		check.True(t, names[want], "there is no %s", want)
	}
	if programsAndArchives := 3*6 + 6; len(names) != programsAndArchives {
		t.Errorf("%d files instead of %d", len(names), programsAndArchives)
	}
	sums := g.Checksum
	check.True(t, sums.NameTemplate == "SHA256SUMS" && sums.Algorithm == "sha256" && len(sums.IDs) == 0 && sums.Disable == "" && !sums.Split,
		"SHA256SUMS is not of all files: %+v", sums)
	check.True(t, slices.Equal(sums.ExtraFiles, g.Release.ExtraFiles),
		"published are %v, with sums of %v", g.Release.ExtraFiles, sums.ExtraFiles)
	check.True(t, len(g.Signs) == 1 && g.Signs[0].Artifacts == "checksum" && g.Signs[0].Signature == "${artifact}.sigstore.json",
		"SHA256SUMS is not signed: %+v", g.Signs)
	check.True(t, len(g.Sboms) == 1 && g.Sboms[0].Artifacts == "archive" && len(g.Sboms[0].IDs) == 0,
		"not every archive has a bill of materials: %+v", g.Sboms)
	check.True(t, g.Release.Draft, "a release goes out before anybody has looked at it")
}

// nameFiles names the files that GoReleaser makes of one entry of its archives for one platform.
func nameFiles(t *testing.T, g goreleaser, a archive, platform map[string]string, add func(name string)) {
	t.Helper()
	if slices.Equal(a.Formats, []string{"binary"}) {
		for _, b := range g.Builds {
			suffix := ""
			if platform["Os"] == "windows" {
				suffix = ".exe"
			}
			platform["Binary"] = b.Binary
			add(fill(t, a.NameTemplate, platform) + suffix)
		}
		return
	}
	formats := a.Formats
	for _, o := range a.FormatOverrides {
		if o.Goos == platform["Os"] {
			formats = o.Formats
		}
	}
	for _, format := range formats {
		add(fill(t, a.NameTemplate, platform) + "." + format)
	}
	check.True(t, a.BuildsInfo.Mtime == "{{ .CommitDate }}",
		"programs in archives have the time %q: another each time", a.BuildsInfo.Mtime)
	var texts []string
	for _, f := range a.Files {
		texts = append(texts, f.Src)
		check.True(t, f.Info.Mtime == "{{ .CommitDate }}", "%s has the time %q in archives: another each time", f.Src, f.Info.Mtime)
	}
	check.True(t, slices.Equal(texts, []string{"LICENSE", "README.md", "CHANGELOG.md", "scripts/register", "VERSION"}),
		"archives have %v beside the programs", texts)
}

func TestTheNotesOfAReleaseAreItsSectionOfTheChangelog(t *testing.T) {
	t.Parallel()
	tag := strings.TrimSpace(string(read(t, "VERSION")))
	notes, err := exec.Command("./notes", tag).CombinedOutput()
	check.Require(t, err == nil, "%v: %s", err, notes)
	check.True(t, len(notes) != 0 && strings.Contains(string(read(t, "CHANGELOG.md")), string(notes[:len(notes)-1])),
		"the notes are no part of CHANGELOG.md: %s", notes)
	for _, stray := range []string{"\n## ", "\n[Unreleased]: "} {
		check.True(t, !strings.Contains("\n"+string(notes), stray), "the notes go on after the section, with %q", stray)
	}
	for wrong, why := range map[string]string{
		"v98.7.6": "VERSION says", "98.7.6": "is not vX.Y.Z", "v1.0": "is not vX.Y.Z", "v1.0.0+meta": "is not vX.Y.Z", "": "name the tag",
	} {
		if said, err := exec.Command("./notes", wrong).CombinedOutput(); err == nil || !strings.Contains(string(said), why) {
			t.Errorf("notes of %q: %v: %s", wrong, err, said)
		}
	}
}
