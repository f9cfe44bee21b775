// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/acceptance/hostile"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// Do implements hostile.Mount.
func (m *mount) Do(
	ctx context.Context, operation logical.Operation, path string, data map[string]any,
) (*logical.Response, error) {
	return m.HandleRequest(ctx, &logical.Request{
		Operation: operation, Path: path, Data: data, Storage: m.storage, MountPoint: "mastersindia/",
	})
}

// share is how many of the tricks that are not about memory there are to one that is played here: the unit tests play them all.
const share = 6

// TestHostileUpstream_ProcessSurvives runs many tricks against one process at the same time, and then measures what is left.
//
//nolint:tparallel // the tricks are parallel; what comes after them waits for all
func TestHostileUpstream_ProcessSurvives(t *testing.T) {
	t.Parallel()
	h, m := newMount(t)
	before, err := harness.ReadUsage(h.pid())
	if err != nil {
		t.Skip(err)
	}
	var mu sync.Mutex
	var table []string
	var servers []*hostile.Server
	t.Run("tricks", func(t *testing.T) {
		for n, trick := range hostile.Tricks() {
			if trick.Growth == 0 && n%share != 0 {
				continue
			}
			t.Run(trick.Name, func(t *testing.T) {
				t.Parallel()
				server := check.Value(hostile.Start(&trick))(t)
				result := hostile.Play(t, m, server, fmt.Sprintf("hostile-%d", n))
				mu.Lock()
				defer mu.Unlock()
				servers = append(servers, server)
				table = append(table, result.String())
			})
		}
	})
	at := peakOf(t, h)
	m.Cleanup(deadline(t))
	for _, server := range servers {
		server.Close()
	}
	after := peakOf(t, h)
	for end := time.Now().Add(10 * time.Second); after.Files > before.Files+2 && time.Now().Before(end); after = peakOf(t, h) {
		<-time.After(20 * time.Millisecond)
	}
	slices.Sort(table)
	t.Logf("%d tricks: how long the reader waited, what it got, and what the upstream saw\n%s",
		len(table), strings.Join(table, "\n"))
	t.Logf("the process: before %s, with all accounts in memory %s, after %s", before, at, after)
	check.True(t, after.Files <= before.Files+2, "the process keeps %d open files, and had %d", after.Files, before.Files)
	check.True(t, at.Peak <= mostMemory, "the process took %d MiB at its peak", at.Peak>>20)
}

// mostMemory is what the process may take while two hundred upstreams do their worst at the same time.
const mostMemory = 512 << 20

func peakOf(t *testing.T, h *host) harness.Usage {
	t.Helper()
	return check.Value(harness.ReadUsage(h.pid()))(t)
}
