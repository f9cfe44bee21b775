// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

// Package kubernetes tests the manifests of examples/kubernetes with a real kube-apiserver and real controllers, on loopback and
// without a kubelet: what lies in the Secrets is tried every second, as an application would. The tests need programs that take
// long to build: run them with make kubernetes.
package kubernetes
