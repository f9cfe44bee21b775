// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

// Package conformance drives the built plugin over gRPC as Vault does, without a Vault: the handshake, several mounts in one
// process, storage and replication state served by the host. Its tests see what Vault's core sees and users do not, above all the
// storage entries. They carry the build tag "acceptance", since they need the binary: run them with make conformance.
package conformance
