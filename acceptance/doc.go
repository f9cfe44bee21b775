// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

// Package acceptance tests the built plugin inside a real Vault server, against the simulator: what users see, and nothing
// below it. The tests carry the build tag "acceptance", since they need a Vault binary: run them with make acceptance.
package acceptance
