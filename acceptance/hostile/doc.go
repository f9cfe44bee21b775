// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package hostile is a hostile upstream: it lies, stalls, floods, breaks off, and sends clients elsewhere. A Trick is one way of
// doing so, and says what the engine must make of it. Play runs a trick against an engine, in process or over gRPC alike.
package hostile
