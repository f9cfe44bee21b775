// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// ledgerMany is more accounts than any buffer should have to hold.
const ledgerMany = 2000

// slowWrite is how long a write takes.
const slowWrite = 2 * time.Millisecond

// linesWith are the lines that have the text in them.
func (l *logBuffer) linesWith(text string) []string {
	var found []string
	for line := range strings.SplitSeq(l.String(), "\n") {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// manyReaders is a mount of many accounts, read one after the other with a gap, over slow storage. It returns the token IDs.
func manyReaders(t *testing.T, gap time.Duration) (s *testMount, log *logBuffer, ids []string) {
	t.Helper()
	s = gstMount(t, 24*time.Hour)
	log = &logBuffer{}
	s.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: log})
	s.copyAccount(ledgerMany, nil)
	s.Reload()
	s.EveryMinute()
	s.Storage.SlowPuts(slowWrite)
	ids = make([]string, ledgerMany)
	var readers sync.WaitGroup
	for n := range ledgerMany {
		readers.Go(func() {
			advance(time.Duration(n) * gap)
			a, err := s.ask(t.Context(), fmt.Sprintf("rc%05d", n), nil)
			check.True(t, err == nil, "account %d: %v", n, err)
			ids[n] = a.id
		})
	}
	readers.Wait()
	return s, log, ids
}

// unknown counts the tokens that lookup does not know as one of the account.
func (s *testMount) unknown(ids []string) (missing int) {
	for n, id := range ids {
		resp, err := s.do(context.WithoutCancel(s.t.Context()), logical.UpdateOperation, "lookup", map[string]any{"token_id": id})
		if err != nil || resp.IsError() || resp.Data["config"] != fmt.Sprintf("c%05d", n) {
			missing++
		}
	}
	return missing
}

// However many log in at once, the ledger is written of each token, by a restart at the latest.
func TestLedger_KnowsEveryFirstRead(t *testing.T) { //nolint:paralleltest // it is heavy
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %t", restart), func(t *testing.T) { //nolint:paralleltest // as above
			synctest.Test(t, func(t *testing.T) {
				s, log, ids := manyReaders(t, time.Millisecond) // all within two seconds
				if restart {
					s.Crash()
				}
				advance(5 * time.Minute)
				missing := s.unknown(ids)
				check.True(t, missing == 0, "the ledger does not know %d of %d current tokens", missing, ledgerMany)
				check.Equal(t, log.linesWith("missing"), nil, "lines that say that something is missing")
				s.wantLogins(ledgerMany)
			})
		})
	}
}

// A restart writes nothing that the ledger knows, logs no error, and loses no unsaved revocation.
func TestLedger_RestartWritesOnlyUnsaved(t *testing.T) { //nolint:paralleltest // it is heavy
	synctest.Test(t, func(t *testing.T) {
		s, log, ids := manyReaders(t, 20*time.Millisecond) // the ledger keeps up
		advance(5 * time.Minute)
		missing := s.unknown(ids)
		check.Require(t, missing == 0 && len(log.linesWith("missing")) == 0, "the ledger does not know %d tokens before the restart", missing)
		// The ledger fails while a token is revoked: the revocation is unsaved when the plugin starts again.
		revoked := []int{0, 7, ledgerMany / 2, ledgerMany - 1}
		restarted := s.ledgerAccesses(func() {
			s.Reload()
			advance(5 * time.Minute)
		})
		check.Equal(t, writes(restarted), 0, "writes to the ledger after a restart")
		s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		for _, n := range revoked {
			s.write(fmt.Sprintf("revoke/c%05d", n), nil)
		}
		s.Crash()
		advance(5 * time.Minute)
		s.Storage.SlowPuts(slowWrite)
		s.Crash()
		advance(10 * time.Minute)
		for _, n := range revoked {
			if got := s.ledgerOf(fmt.Sprintf("c%05d", n)); len(got) != 1 || got[0].ID != ids[n] || got[0].State != "revoked" {
				t.Errorf("the ledger says %s of a token that was revoked before the restart, want revoked", describe(got))
			}
		}
		check.Equal(t, log.linesWith("tokens are missing"), nil, "lines that say that tokens are missing")
	})
}
