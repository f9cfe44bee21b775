// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// TestReadersOperatorsAndTheSchedulerAllAtOnce is for the race detector, and for whatever locks each other out.
func TestReadersOperatorsAndTheSchedulerAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Start()
		var inForce atomic.Int64 // the generation that a read which begins now must give, or a later one
		generation := func(n int64) string { return fmt.Sprintf("g%06d", n) }
		w.add(account("gst", generation(0)))
		var removed sync.RWMutex // held to write while the account is away
		rest := func(r *rand.Rand) { pass(time.Duration(r.Int64N(int64(20 * time.Second)))) }

		const rounds = 100
		var all sync.WaitGroup
		work := func(seed uint64, f func(r *rand.Rand, round int)) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // repeatable chance for a test
				for round := range rounds {
					f(r, round)
					rest(r)
				}
			})
		}
		for reader := range uint64(30) {
			work(reader, func(r *rand.Rand, _ int) {
				removed.RLock()
				defer removed.RUnlock()
				least := inForce.Load()
				var a issuer.Result
				var err error
				if r.IntN(4) == 0 {
					a, err = w.ReadRejected(t.Context(), "gst", "0123456789abcdef")
				} else {
					a, err = w.Read(t.Context(), "gst")
				}
				switch {
				case err != nil:
					t.Errorf("a reader got %v", err)
				case a.Token.Generation < generation(least) || !strings.HasSuffix(a.Token.Access, a.Token.Generation):
					t.Errorf("a token of %s was served with %s in force", a.Token.Generation, generation(least))
				case a.Remaining < 6*time.Second:
					t.Errorf("a token with %s left was served", a.Remaining)
				}
			})
		}
		work(100, func(*rand.Rand, int) {
			next := account("gst", generation(inForce.Load()+1))
			w.add(next)
			if err := w.Update(t.Context(), next, nil); err != nil {
				t.Error(err)
			}
			inForce.Add(1)
		})
		work(101, func(*rand.Rand, int) { _, _ = w.Rotate(t.Context(), "gst") })
		work(102, func(*rand.Rand, int) {
			if _, err := w.Revoke(t.Context(), "gst", ""); err != nil && !errors.Is(err, issuer.ErrNoAccount) {
				t.Error(err)
			}
		})
		work(103, func(*rand.Rand, int) { w.Sweep() })
		work(105, func(*rand.Rand, int) {
			if _, err := w.Status(t.Context(), "gst"); err != nil && !errors.Is(err, issuer.ErrNoAccount) {
				t.Error(err)
			}
			w.Known("gst")
		})
		work(106, func(_ *rand.Rand, round int) {
			if round%10 != 9 {
				return
			}
			removed.Lock()
			defer removed.Unlock()
			a, err := w.Account(t.Context(), "gst")
			if err != nil {
				t.Error(err)
				return
			}
			w.remove("gst")
			if err := w.Remove(t.Context(), "gst"); err != nil {
				t.Error(err)
			}
			if _, err := w.Read(t.Context(), "gst"); !errors.Is(err, issuer.ErrNoAccount) {
				t.Errorf("a read of an account that is gone: %v", err)
			}
			// The operator of another generation may have written it in between.
			if _, err := w.Account(t.Context(), "gst"); errors.Is(err, issuer.ErrNoAccount) {
				w.add(a)
			}
		})
		all.Wait()
	})
}
