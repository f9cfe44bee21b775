// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// document lists the programs, and every module once that is in any of them.
func document(archive string, created time.Time, programs []program) *cyclonedx.BOM {
	license := &cyclonedx.Licenses{{Expression: "MPL-2.0"}}
	var components, libraries []cyclonedx.Component
	var dependencies []cyclonedx.Dependency
	var names []string
	for _, p := range programs {
		modules := modulesOf(p.info)
		libraries = append(libraries, modules...)
		var refs []string
		for _, m := range modules {
			refs = append(refs, m.BOMRef)
		}
		names = append(names, p.name)
		dependencies = append(dependencies, cyclonedx.Dependency{Ref: p.name, Dependencies: &refs})
		components = append(components, cyclonedx.Component{
			Type: cyclonedx.ComponentTypeApplication, BOMRef: p.name, Name: p.name, Licenses: license,
			Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: p.sha256}},
			Properties: settingsOf(p.info),
		})
	}
	dependencies = append(dependencies, cyclonedx.Dependency{Ref: archive, Dependencies: &names})
	byRef := func(a, b cyclonedx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) }
	slices.SortFunc(libraries, byRef)
	libraries = slices.CompactFunc(libraries, func(a, b cyclonedx.Component) bool { return byRef(a, b) == 0 })
	components = append(components, libraries...)

	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: created.Format(time.RFC3339),
		Authors:   &[]cyclonedx.OrganizationalContact{{Name: "The vault-plugin-secrets-mastersindia authors"}},
		Component: &cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication, BOMRef: archive, Name: archive, Licenses: license},
	}
	bom.Components, bom.Dependencies = &components, &dependencies
	return bom
}

// modulesOf are the modules in a program, and Go's own library, whose faults are a program's too.
func modulesOf(info *debug.BuildInfo) []cyclonedx.Component {
	modules := []cyclonedx.Component{module("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, module(m.Path, m.Version, m.Sum))
	}
	return modules
}

func module(path, version, sum string) cyclonedx.Component {
	at := "pkg:golang/" + path + "@" + version
	c := cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, BOMRef: at, Name: path, Version: version, PackageURL: at}
	if sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go.sum", Value: sum}}
	}
	return c
}

// settingsOf are the settings of the build that make a difference for the bytes.
func settingsOf(info *debug.BuildInfo) *[]cyclonedx.Property {
	properties := []cyclonedx.Property{{Name: "go.version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		properties = append(properties, cyclonedx.Property{Name: "go.build." + strings.TrimPrefix(s.Key, "-"), Value: s.Value})
	}
	return &properties
}
