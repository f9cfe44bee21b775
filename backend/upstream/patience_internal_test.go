// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// dialPatiently gives both ends of a connection, ours being a patient one.
func dialPatiently(t *testing.T, timeout time.Duration) (conn, theirs net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	dial := dialer(func(context.Context, string, string) (net.Conn, error) { return ours, nil }).patient(timeout)
	conn, err := dial(t.Context(), "tcp", "example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = conn.Close()
	})
	return conn, theirs
}

// TestAConnectionOnWhichNothingComesEnds is about the connections that net/http forgets: nothing but a read is left of them.
func TestAConnectionOnWhichNothingComesEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 15 * time.Second
		conn, theirs := dialPatiently(t, timeout)

		// A byte that comes as late as it can of a request that went out as late as it could is waited for, each time.
		const late = idleTimeout + timeout
		go func() {
			for range 2 {
				<-time.After(late)
				_, _ = theirs.Write([]byte{1})
			}
		}()
		buffer := make([]byte, 1)
		for range 2 {
			if _, err := conn.Read(buffer); err != nil {
				t.Fatalf("a byte after %s: %v", late, err)
			}
		}

		began := time.Now()
		if _, err := conn.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read to which nothing comes ended with %v, want a deadline", err)
		}
		if waited := time.Since(began); waited > late+2*time.Second {
			t.Errorf("it took %s, want %s and little more", waited, late)
		}
	})
}

// TestAConnectionFromWhichNobodyReadsEnds is about what has to be acknowledged and is sent for ever.
func TestAConnectionFromWhichNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 15 * time.Second
		conn, theirs := dialPatiently(t, timeout)

		go func() {
			<-time.After(timeout)
			_, _ = theirs.Read(make([]byte, 1))
		}()
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Errorf("a byte that is read after %s: %v", timeout, err)
		}
		began := time.Now()
		if _, err := conn.Write([]byte{1}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write that nobody reads ended with %v, want a deadline", err)
		}
		if waited := time.Since(began); waited > timeout+2*time.Second {
			t.Errorf("it took %s, want %s and little more", waited, timeout)
		}
	})
}

// TestADialThatFailsStaysAFailure would panic at a connection that is nil.
func TestADialThatFailsStaysAFailure(t *testing.T) {
	t.Parallel()
	dial := dialer(func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrPermission }).patient(time.Second)
	if _, err := dial(t.Context(), "tcp", "example.com:443"); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the dial ended with %v, want its own error", err)
	}
}
