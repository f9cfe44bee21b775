// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package harness

import "syscall"

// childAttributes gives a child a process group of its own, so that Ctrl-C reaches only us and the children are ended in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
