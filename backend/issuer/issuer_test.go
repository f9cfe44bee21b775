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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	core "vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
)

func TestReadWorksWithoutStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.add(account("gst", "one"))
		first, err := w.Read(t.Context(), "gst")
		if err != nil {
			t.Fatal(err)
		}
		pass(50 * time.Minute)
		second, err := w.Read(t.Context(), "gst")
		if err != nil || second.Token.ID == first.Token.ID {
			t.Errorf("a reader of an overdue token got %v (%v)", second.Token, err)
		}
		if got := w.logins.Load(); got != 2 {
			t.Errorf("%d logins, want 2", got)
		}
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
	if _, err := i.Read(t.Context(), "gst"); !errors.Is(err, issuer.ErrStopped) {
		t.Errorf("Read: %v, want ErrStopped", err)
	}
	if _, err := i.ReadRejected(t.Context(), "gst", "0123456789abcdef"); !errors.Is(err, issuer.ErrStopped) {
		t.Errorf("ReadRejected: %v, want ErrStopped", err)
	}
	if _, err := i.Rotate(t.Context(), "gst"); !errors.Is(err, issuer.ErrStopped) {
		t.Errorf("Rotate: %v, want ErrStopped", err)
	}
	for range 200 { // its own cancellation must not be faster than the news
		if _, err := i.Revoke(t.Context(), "gst", ""); !errors.Is(err, issuer.ErrStopped) {
			t.Fatalf("Revoke: %v, want ErrStopped", err)
		}
	}
	i.Wait()
}

func TestATokenThatStraysIntoAFormatStringDoesNotShowItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.add(account("gst", "one"))
		a, err := w.Read(t.Context(), "gst")
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			shown := fmt.Sprintf(verb, a.Token)
			if strings.Contains(shown, a.Token.Access) || strings.Contains(shown, fmt.Sprintf("%x", a.Token.Access)) {
				t.Errorf("%s shows the token", verb)
			}
		}
	})
}

// TestTheHostIsAskedUnderNoLock: the question whether this node may log in goes to another process, and no reader may wait for
// the answer who has not asked. The test is in no bubble, in which time would not pass for those who wait for a lock.
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
	read := func() {
		if _, err := w.Read(t.Context(), "gst"); err != nil {
			t.Error(err)
		}
	}
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
			if _, err := w.Rotate(t.Context(), "gst"); !errors.Is(err, full) {
				t.Errorf("a login that could not be noted ended with %v", err)
			}
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

// TestARefreshTokenStaysWithItsEndpointThoughTheSettingsChangeDuringItsRevocation: the change comes when the revocation has been
// stored and the upstream is yet to be told.
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
	if _, err := w.Read(t.Context(), "gst"); err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{})
	w.saved = func() { // holds w.mu
		w.saved = nil
		w.accounts["gst"] = after
		go func() {
			defer close(changed)
			if err := w.Update(t.Context(), after, nil); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := w.Revoke(t.Context(), "gst", ""); err != nil {
		t.Fatal(err)
	}
	<-changed
	if slices.Contains(asked, "/elsewhere") || !slices.Contains(asked, "/here") {
		t.Errorf("requests went to %q, want the refresh token to go to the endpoint that gave it", asked)
	}
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
		_ = w.Update(t.Context(), next, nil) // an error where it has waited for the load that fails
		if n.Load() < 2 {
			t.Error("no load has failed: this tests nothing")
		}
		close(read)
		if g := <-got; g != "second" {
			t.Errorf("a token of the %s settings was served", g)
		}
	})
}
