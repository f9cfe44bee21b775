// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"vault-plugin-secrets-mastersindia/internal/command"
)

const audited = "vault-plugin-secrets-mastersindia/cmd/vault-plugin-secrets-mastersindia"

// archives are a .tar.gz and a .zip with a program of the project's and a file that is none.
func archives(t *testing.T) (files []string, sum string) {
	t.Helper()
	dir := t.TempDir()
	built := filepath.Join(dir, "program")
	if said, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", built, audited).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	program, err := os.ReadFile(built)
	must(t, err)
	var tarred, zipped bytes.Buffer
	squeezed := gzip.NewWriter(&tarred)
	tape := tar.NewWriter(squeezed)
	folder := zip.NewWriter(&zipped)
	for name, content := range map[string][]byte{"audit": program, "LICENSE": []byte("free")} {
		must(t, tape.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}))
		_, err := tape.Write(content)
		must(t, err)
		file, err := folder.Create(name)
		must(t, err)
		_, err = file.Write(content)
		must(t, err)
	}
	must(t, tape.Close())
	must(t, squeezed.Close())
	must(t, folder.Close())
	files = []string{filepath.Join(dir, "release.tar.gz"), filepath.Join(dir, "release.zip")}
	must(t, os.WriteFile(files[0], tarred.Bytes(), 0o600))
	must(t, os.WriteFile(files[1], zipped.Bytes(), 0o600))
	return files, fmt.Sprintf("%x", sha256.Sum256(program))
}

// modulesByGo are the modules of the program as the go command knows them from the source.
func modulesByGo(t *testing.T) []string {
	t.Helper()
	const modules = `{{with .Module}}{{if not .Main}}pkg:golang/{{.Path}}@{{.Version}}{{end}}{{end}}`
	listed, err := exec.Command("go", "list", "-deps", "-f", modules, audited).Output()
	must(t, err)
	found := append(strings.Fields(string(listed)), "pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go"))
	slices.Sort(found)
	return slices.Compact(found)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bill is the document as a reader of it sees it. JSON is YAML, so that the parser is another than what wrote it.
type bill struct {
	BOMFormat   string `yaml:"bomFormat"`
	SpecVersion string `yaml:"specVersion"`
	Metadata    struct{ Timestamp string }
	Components  []struct {
		Type, Name, Version, Purl string
		Ref                       string `yaml:"bom-ref"`
		Hashes                    []struct{ Alg, Content string }
	}
	Dependencies []struct {
		Ref       string
		DependsOn []string `yaml:"dependsOn"`
	}
}

func billOf(t *testing.T, archive string) (string, bill) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bill.json")
	var stderr bytes.Buffer
	if code := run([]string{"-created=2026-01-31T13:00:00+01:00", "-o=" + file, archive}, io.Discard, &stderr); code != command.ExitOK {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	text, err := os.ReadFile(file)
	must(t, err)
	var b bill
	must(t, yaml.Unmarshal(text, &b))
	return string(text), b
}

func TestTheBillNamesEveryProgramAndModule(t *testing.T) {
	t.Parallel()
	files, sum := archives(t)
	want := modulesByGo(t)
	if len(want) < 5 {
		t.Fatalf("the program has too few modules to prove anything: %v", want)
	}
	for _, file := range files {
		text, b := billOf(t, file)
		if again, _ := billOf(t, file); again != text {
			t.Errorf("the same archive gave\n%s\nand then\n%s", text, again)
		}
		if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.6" || b.Metadata.Timestamp != "2026-01-31T12:00:00Z" {
			t.Errorf("%s: %+v", file, b)
		}
		refs := map[string]bool{filepath.Base(file): true}
		for n, c := range b.Components {
			refs[c.Ref] = true
			isProgram := n == 0
			if isProgram && (c.Name != "audit" || c.Type != "application" || len(c.Hashes) != 1 || c.Hashes[0].Content != sum) {
				t.Errorf("the program is listed as %+v, and its sum is %s", c, sum)
			}
			if !isProgram && (c.Type != "library" || c.Purl != "pkg:golang/"+c.Name+"@"+c.Version) {
				t.Errorf("a module is listed as %+v", c)
			}
		}
		if len(b.Components) != 1+len(want) {
			t.Errorf("%d components, wanted the program and %v", len(b.Components), want)
		}
		for _, d := range b.Dependencies {
			if d.Ref == "audit" {
				slices.Sort(d.DependsOn)
				if !slices.Equal(d.DependsOn, want) {
					t.Errorf("the program depends on %v, wanted %v", d.DependsOn, want)
				}
			}
			for _, ref := range append(d.DependsOn, d.Ref) {
				if !refs[ref] {
					t.Errorf("%s is a dependency and no component", ref)
				}
			}
		}
	}
}

func TestWhatIsNoArchiveOfProgramsGetsNoBill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.tar.gz")
	var squeezed bytes.Buffer
	w := gzip.NewWriter(&squeezed)
	must(t, tar.NewWriter(w).Close())
	must(t, w.Close())
	must(t, os.WriteFile(empty, squeezed.Bytes(), 0o600))
	text := filepath.Join(dir, "text.zip")
	must(t, os.WriteFile(text, []byte("no archive"), 0o600))
	const created = "-created=2026-01-31T12:00:00Z"
	for _, c := range []struct {
		args []string
		code int
		why  string
	}{
		{[]string{created, empty}, command.ExitFailed, "has no Go program"},
		{[]string{created, text}, command.ExitFailed, "not a valid zip"},
		{[]string{created, filepath.Join(dir, "none.tar.gz")}, command.ExitFailed, "no such file"},
		{[]string{empty}, command.ExitUsage, "-created=TIME and one archive"},
		{[]string{created}, command.ExitUsage, "-created=TIME and one archive"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.why) || stdout.Len() > 0 {
			t.Errorf("%v: exit %d: %s%s, wanted: %s", c.args, code, stderr.String(), stdout.String(), c.why)
		}
	}
}
