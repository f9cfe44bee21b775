// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	core "vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestReadWorksWithoutStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.add(account("gst", "one"))
		first := check.Value(w.Read(t.Context(), "gst"))(t)
		pass(50 * time.Minute)
		second := check.Value(w.Read(t.Context(), "gst"))(t)
		check.True(t, second.Token.ID != first.Token.ID, "a reader of an overdue token got it")
		check.Equal(t, w.logins.Load(), 2, "logins")
	})
}

func TestNothingBeginsAfterStop(t *testing.T) { //nolint:paralleltest // it counts goroutines
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	i := issuer.New(issuer.Options{Source: &fixture{}, Store: &fixture{}})
	i.Start()
	i.Stop()
	i.Stop()
	i.Start()
	i.Sweep()
	_, err := i.Read(t.Context(), "gst")
	check.True(t, errors.Is(err, issuer.ErrStopped), "Read: %v, want ErrStopped", err)
	_, err = i.ReadRejected(t.Context(), "gst", "0123456789abcdef")
	check.True(t, errors.Is(err, issuer.ErrStopped), "ReadRejected: %v, want ErrStopped", err)
	_, err = i.Rotate(t.Context(), "gst")
	check.True(t, errors.Is(err, issuer.ErrStopped), "Rotate: %v, want ErrStopped", err)
	for range 200 { // its own cancellation must not be faster than the news
		_, err := i.Revoke(t.Context(), "gst", "")
		check.Require(t, errors.Is(err, issuer.ErrStopped), "Revoke: %v, want ErrStopped", err)
	}
	i.Wait()
}

func TestATokenThatStraysIntoAFormatStringDoesNotShowItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.add(account("gst", "one"))
		a := check.Value(w.Read(t.Context(), "gst"))(t)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			shown := fmt.Sprintf(verb, a.Token)
			hidden := !strings.Contains(shown, a.Token.Access) && !strings.Contains(shown, fmt.Sprintf("%x", a.Token.Access))
			check.True(t, hidden, "%s shows the token", verb)
		}
	})
}

// The host is another process: no reader may wait for its response who has not asked. A bubble cannot wait for a lock.
func TestTheHostIsAskedUnderNoLock(t *testing.T) {
	t.Parallel()
	const patience = 10 * time.Second
	var w *fixture
	var back atomic.Int64
	asked := make(chan struct{}, 100)
	w = newFixture(t, func(o *issuer.Options) {
		system := core.SystemClock()
		o.Clock = func() issuer.Reading {
			now := system()
			now.Wall = now.Wall.Add(-time.Duration(back.Load()))
			return now
		}
		o.MayLogin = func() error {
			looked := make(chan struct{})
			go func() {
				defer close(looked)
				w.Known("gst") // takes the account's lock, and does nothing else that takes time
			}()
			select {
			case <-looked:
			case <-time.After(patience):
				t.Error("the account is locked while the host is asked")
			}
			asked <- struct{}{}
			return nil
		}
	})
	w.add(account("gst", "one"))
	read := func() { check.Value(w.Read(t.Context(), "gst"))(t) }
	forget := func() {
		for len(asked) > 0 {
			<-asked
		}
	}
	setBack := func() { back.Add(int64(10 * time.Minute)) }
	full := errors.New("storage is full")
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"a first read", read},
		{"a read after the clock was set back", func() { setBack(); read() }},
		{"the periodic work after the clock was set back", func() { setBack(); w.Sweep() }},
		{"the periodic work after storage took no note of a login", func() {
			w.breaks(full)
			_, err := w.Rotate(t.Context(), "gst")
			check.True(t, errors.Is(err, full), "a login that could not be noted ended with %v", err)
			w.breaks(nil)
			forget()
			w.Sweep()
		}},
	} {
		forget()
		step.do()
		select {
		case <-asked:
		case <-time.After(2 * patience):
			t.Errorf("%s did not ask", step.what)
		}
	}
}

// The settings change when the revocation has been stored and the upstream is yet to be told.
func TestARefreshTokenStaysWithItsEndpointThoughTheSettingsChangeDuringItsRevocation(t *testing.T) {
	t.Parallel()
	var asked []string
	w := newFixture(t)
	w.answer = func(answer http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		_, _ = fmt.Fprintf(answer, `{"token":"token-%d","refresh_token":"refresh-token","expires_in":3600}`, len(asked))
	}
	before, after := account("gst", "a"), account("gst", "b")
	before.Upstream.RefreshURL, after.Upstream.RefreshURL = "http://upstream.test/here", "http://upstream.test/elsewhere"
	w.add(before)
	check.Value(w.Read(t.Context(), "gst"))(t)
	changed := make(chan struct{})
	w.saved = func() { // holds w.mu
		w.saved = nil
		w.accounts["gst"] = after
		go func() {
			defer close(changed)
			if err := w.Update(t.Context(), after); err != nil {
				t.Error(err)
			}
		}()
	}
	check.Value(w.Revoke(t.Context(), "gst", ""))(t)
	<-changed
	check.True(t, !slices.Contains(asked, "/elsewhere") && slices.Contains(asked, "/here"),
		"requests went to %q, want the refresh token to go to the endpoint that gave it", asked)
}

// loads is a store of which a test decides what a load answers.
type loads struct {
	issuer.Store

	load func(ctx context.Context, name string) (*issuer.Record, error)
}

func (s *loads) Load(ctx context.Context, name string) (*issuer.Record, error) {
	return s.load(ctx, name)
}

// TestSettingsAreInForceThoughTheTokensCouldNotBeRead: a load that has read the former settings lands after they were changed.
func TestSettingsAreInForceThoughTheTokensCouldNotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		read := make(chan struct{})
		w := newFixture(t, func(o *issuer.Options) {
			store := o.Store
			o.Store = &loads{Store: store, load: func(ctx context.Context, name string) (*issuer.Record, error) {
				switch n.Add(1) {
				case 1:
					<-read
				case 2:
					return nil, errors.New("the read timed out")
				}
				return store.Load(ctx, name)
			}}
		})
		w.add(account("gst", "first"))
		got := make(chan string)
		go func() {
			a, err := w.Read(t.Context(), "gst")
			if err != nil { // the load that took the place of the first one has failed
				a, err = w.Read(t.Context(), "gst")
			}
			if err != nil {
				t.Error(err)
				close(got)
				return
			}
			got <- a.Token.Generation
		}()
		synctest.Wait()
		next := account("gst", "second")
		w.add(next)
		_ = w.Update(t.Context(), next) // an error where it has waited for the load that fails
		check.True(t, n.Load() >= 2, "no load has failed: this tests nothing")
		close(read)
		check.Equal(t, <-got, "second", "the token that was served is of the settings")
	})
}

// TestRemove_WhileReadersCome is for the race detector: a config is deleted and written anew while it is read.
func TestRemove_WhileReadersCome(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.add(account("gst", "one"))
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 2000 {
				if _, err := w.Read(t.Context(), "gst"); err != nil && !errors.Is(err, issuer.ErrNoAccount) {
					t.Error(err)
				}
			}
		})
	}
	for range 500 {
		w.remove("gst")
		check.NoError(t, w.Remove(t.Context(), "gst"))
		w.add(account("gst", "one"))
	}
	readers.Wait()
	s := check.Value(w.Status(t.Context(), "gst"))(t)
	check.True(t, s.Logins >= 0, "%+v", s)
}
