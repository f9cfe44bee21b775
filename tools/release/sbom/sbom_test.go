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
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const created = "-created=2026-01-31T13:00:00+01:00"

// listed is the package of the program that is in the archives.
const listed = "../image"

// archives are a .tar.gz and a .zip with a program and a file that is none.
func archives(t *testing.T) (files []string, sum string) {
	t.Helper()
	dir := t.TempDir()
	built := filepath.Join(dir, "program")
	if output, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", built, listed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	program, err := os.ReadFile(built)
	must(t, err)
	var tarred, zipped bytes.Buffer
	compressed := gzip.NewWriter(&tarred)
	tarFile := tar.NewWriter(compressed)
	zipFile := zip.NewWriter(&zipped)
	for name, content := range map[string][]byte{"audit": program, "LICENSE": []byte("free")} {
		must(t, tarFile.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}))
		_, err := tarFile.Write(content)
		must(t, err)
		file, err := zipFile.Create(name)
		must(t, err)
		_, err = file.Write(content)
		must(t, err)
	}
	must(t, tarFile.Close())
	must(t, compressed.Close())
	must(t, zipFile.Close())
	files = []string{filepath.Join(dir, "release.tar.gz"), filepath.Join(dir, "release.zip")}
	must(t, os.WriteFile(files[0], tarred.Bytes(), 0o600))
	must(t, os.WriteFile(files[1], zipped.Bytes(), 0o600))
	return files, fmt.Sprintf("%x", sha256.Sum256(program))
}

// modulesByGo are the modules of the program as the go command knows them from the source.
func modulesByGo(t *testing.T) []string {
	t.Helper()
	const modules = `{{with .Module}}{{if not .Main}}pkg:golang/{{.Path}}@{{.Version}}{{end}}{{end}}`
	printed, err := exec.Command("go", "list", "-deps", "-f", modules, listed).Output()
	must(t, err)
	found := append(strings.Fields(string(printed)), "pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go"))
	slices.Sort(found)
	return slices.Compact(found)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// documentOf runs the command on an archive.
func documentOf(t *testing.T, archive string) ([]byte, *cyclonedx.BOM) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bom.json")
	must(t, run([]string{created, "-o=" + file, archive}))
	text, err := os.ReadFile(file)
	must(t, err)
	bom := new(cyclonedx.BOM)
	must(t, cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(bom))
	return text, bom
}

// schema is the published JSON schema of CycloneDX 1.6, which the library's module has.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	must(t, err)
	const published = "http://cyclonedx.org/schema/"
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schemax.json"} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		must(t, err)
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		must(t, err)
		must(t, compiler.AddResource(published+strings.Replace(name, "schemax", "schema", 1), parsed))
	}
	compiled, err := compiler.Compile(published + "bom-1.6.schema.json")
	must(t, err)
	return compiled
}

func TestSBOM_FitsPublishedSchema(t *testing.T) {
	t.Parallel()
	files, _ := archives(t)
	text, _ := documentOf(t, files[0])
	published := schema(t)
	for name, c := range map[string]struct {
		text  []byte
		valid bool
	}{
		"as written":    {text, true},
		"another type":  {bytes.Replace(text, []byte(`"application"`), []byte(`"program"`), 1), false},
		"another field": {bytes.Replace(text, []byte(`"components"`), []byte(`"component"`), 1), false},
	} {
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.text))
		must(t, err)
		if err := published.Validate(parsed); (err == nil) != c.valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSBOM_NamesEveryProgramAndModule(t *testing.T) {
	t.Parallel()
	files, sum := archives(t)
	want := modulesByGo(t)
	if len(want) < 5 {
		t.Fatalf("the program has too few modules to prove anything: %v", want)
	}
	for _, file := range files {
		text, bom := documentOf(t, file)
		if again, _ := documentOf(t, file); !bytes.Equal(again, text) {
			t.Errorf("the same archive gave\n%s\nand then\n%s", text, again)
		}
		if bom.SpecVersion != cyclonedx.SpecVersion1_6 || bom.Metadata.Timestamp != "2026-01-31T12:00:00Z" || bom.SerialNumber != "" {
			t.Errorf("%s: %s of %s, %q", file, bom.SpecVersion, bom.Metadata.Timestamp, bom.SerialNumber)
		}
		refs := map[string]bool{filepath.Base(file): true}
		for n, c := range *bom.Components {
			refs[c.BOMRef] = true
			isProgram := n == 0
			if isProgram && (c.Name != "audit" || c.Type != cyclonedx.ComponentTypeApplication || (*c.Hashes)[0].Value != sum) {
				t.Errorf("the program is listed as %+v, and its sum is %s", c, sum)
			}
			if !isProgram && (c.Type != cyclonedx.ComponentTypeLibrary || c.PackageURL != "pkg:golang/"+c.Name+"@"+c.Version) {
				t.Errorf("a module is listed as %+v", c)
			}
		}
		if len(*bom.Components) != 1+len(want) {
			t.Errorf("%d components, wanted the program and %v", len(*bom.Components), want)
		}
		for _, d := range *bom.Dependencies {
			if d.Ref == "audit" {
				slices.Sort(*d.Dependencies)
				if !slices.Equal(*d.Dependencies, want) {
					t.Errorf("the program depends on %v, wanted %v", *d.Dependencies, want)
				}
			}
			for _, ref := range append(*d.Dependencies, d.Ref) {
				if !refs[ref] {
					t.Errorf("%s is a dependency and no component", ref)
				}
			}
		}
	}
}

func TestSBOM_RefusedArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.tar.gz")
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	must(t, tar.NewWriter(w).Close())
	must(t, w.Close())
	must(t, os.WriteFile(empty, compressed.Bytes(), 0o600))
	text := filepath.Join(dir, "text.zip")
	must(t, os.WriteFile(text, []byte("no archive"), 0o600))
	file := filepath.Join(dir, "bom.json")
	for _, c := range []struct {
		why  string
		args []string
	}{
		{"has no Go program", []string{created, "-o=" + file, empty}},
		{"not a valid zip", []string{created, "-o=" + file, text}},
		{"no such file", []string{created, "-o=" + file, filepath.Join(dir, "none.tar.gz")}},
		{"are needed", []string{"-o=" + file, empty}},
		{"are needed", []string{created, empty}},
		{"are needed", []string{created, "-o=" + file}},
	} {
		if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: %v, wanted: %s", c.args, err, c.why)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a document was written")
	}
}
