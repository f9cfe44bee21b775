// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// bom is a document of CycloneDX 1.6, as far as it is needed here.
type bom struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp time.Time    `json:"timestamp"`
	Authors   []authorship `json:"authors"`
	Component component    `json:"component"`
}

type authorship struct {
	Name string `json:"name"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PackageURL string     `json:"purl,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type license struct {
	Expression string `json:"expression"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// document lists the programs, and every module once that is in any of them.
func document(archive string, created time.Time, programs []program) bom {
	licence := []license{{Expression: "MPL-2.0"}}
	whole := component{Type: "application", Ref: archive, Name: archive, Licenses: licence}
	b := bom{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{
			Timestamp: created,
			Authors:   []authorship{{Name: "The vault-plugin-secrets-mastersindia authors"}},
			Component: whole,
		},
	}
	top := dependency{Ref: archive}
	modules := map[string]component{}
	for _, p := range programs {
		parts := modulesOf(p.info)
		needs := dependency{Ref: p.name}
		for _, m := range parts {
			modules[m.Ref] = m
			needs.DependsOn = append(needs.DependsOn, m.Ref)
		}
		top.DependsOn = append(top.DependsOn, p.name)
		b.Components = append(b.Components, component{
			Type: "application", Ref: p.name, Name: p.name, Licenses: licence,
			Hashes:     []hash{{Algorithm: "SHA-256", Content: p.sha256}},
			Properties: settingsOf(p.info),
		})
		b.Dependencies = append(b.Dependencies, needs)
	}
	b.Dependencies = append(b.Dependencies, top)
	libraries := make([]component, 0, len(modules))
	for _, m := range modules {
		libraries = append(libraries, m)
	}
	slices.SortFunc(libraries, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	b.Components = append(b.Components, libraries...)
	return b
}

// modulesOf are the modules in a program, and Go's own library, whose faults are a program's too.
func modulesOf(info *debug.BuildInfo) []component {
	modules := []component{module("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, module(m.Path, m.Version, m.Sum))
	}
	return modules
}

func module(path, version, sum string) component {
	at := "pkg:golang/" + path + "@" + version
	c := component{Type: "library", Ref: at, Name: path, Version: version, PackageURL: at}
	if sum != "" {
		c.Properties = []property{{Name: "go.sum", Value: sum}}
	}
	return c
}

// settingsOf are the settings of the build that make a difference for the bytes.
func settingsOf(info *debug.BuildInfo) []property {
	properties := []property{{Name: "go.version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		properties = append(properties, property{Name: "go.build." + strings.TrimPrefix(s.Key, "-"), Value: s.Value})
	}
	return properties
}
