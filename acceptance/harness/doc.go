// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package harness runs real programs for the acceptance tests and the demo: a Vault server with the plugin in its catalog,
// the simulator, Vault Agent and the vault command. All of them are child processes that listen on the loopback interface
// only, see no environment but what they are given, keep their files in one directory and are ended by their process ids.
package harness
