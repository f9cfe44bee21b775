// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

// Package soak lets the engine live through a long day in a real Vault: readers of every kind, operators who rotate, revoke and
// change accounts, reloads and crashes, and an upstream that fails in one way after the other. It counts what all clients get,
// and measures whether the processes end as they began. Its test needs a length, which make soak gives: make soak SOAK=10m.
package soak
