// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// accounts makes n configs, each with a label of its own and a role of the same name.
func (s *stage) accounts(n int, more ...any) {
	s.t.Helper()
	for k := range n {
		name := account(k)
		s.write("config/"+name, jwtConfig(append([]any{
			"token_url", upstreamURL + "/api/v1/token-auth/?label=" + name, "verify_connection", false,
		}, more...)...))
		s.write("role/"+name, map[string]any{"config": name})
	}
}

func account(n int) string { return fmt.Sprintf("a%03d", n) }

// rotations counts the logins of each label.
func (s *stage) rotations() map[string]int {
	counts := make(map[string]int)
	for _, a := range s.gate.all() {
		counts[a.label]++
	}
	return counts
}

func TestTwoHundredAccountsDueAtOnceAreRotatedEightAtATime(t *testing.T) {
	t.Parallel()
	for _, reading := range []bool{false, true} {
		t.Run(fmt.Sprintf("read meanwhile: %t", reading), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const many = 200
				s := newStage(t, jwtAccount(withTTL(time.Hour)))
				s.minutes()
				s.accounts(many)
				for n := range many {
					s.token(account(n))
				}
				first := s.logins()
				if first != many {
					t.Fatalf("%d logins, want one an account", first)
				}
				s.sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
				s.gate.forget()
				pass(39 * time.Minute)
				end := time.Now().Add(5 * time.Minute)
				var readers sync.WaitGroup
				if reading {
					for n := range many {
						readers.Go(func() {
							pass(time.Duration(n) * 20 * time.Millisecond)
							for time.Now().Before(end) {
								from := time.Now()
								if _, err := s.ask(t.Context(), account(n), nil); err != nil {
									t.Error(err)
								}
								if waited := time.Since(from); waited > 2*time.Second {
									t.Errorf("a read was held up for %s", waited)
								}
								pass(4 * time.Second)
							}
						})
					}
				}
				readers.Wait()
				passUntil(end)
				if most := s.gate.mostAtOnce(""); most > 8 || most < 2 {
					t.Errorf("%d logins in flight at once, want at most 8", most)
				}
				for n := range many {
					if got := s.rotations()[account(n)]; got != 1 {
						t.Fatalf("account %d was rotated %d times, want once", n, got)
					}
				}
				if doubled := s.gate.doubled(); len(doubled) > 0 {
					t.Errorf("more than one login in flight for %v", doubled)
				}
			})
		})
	}
}

// TestAnAccountThatHangsDoesNotHoldUpTheOthers: eight that hang must not take all the places for good.
func TestAccountsThatHangDoNotKeepTheOthersFromTheirRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const hanging, healthy = 16, 20
		s := newStage(t, jwtAccount(withTTL(time.Hour)), simulator.Account{
			Protocol: simulator.OAuth, Username: "u", Password: "p", ClientID: "c", ClientSecret: "x", TokenTTL: time.Hour,
		})
		s.minutes()
		s.accounts(hanging)
		for n := range hanging {
			s.token(account(n))
		}
		for n := range healthy {
			name := fmt.Sprintf("h%02d", n)
			s.write("config/"+name, map[string]any{
				"protocol": "oauth", "token_url": upstreamURL + "/oauth/access_token?label=" + name, "allow_http": true,
				"username": "u", "password": "p", "client_id": "c", "client_secret": "x", "verify_connection": false,
			})
			s.write("role/"+name, map[string]any{"config": name})
			s.token(name)
		}
		s.sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		s.gate.forget()
		pass(55 * time.Minute)
		late := 0
		for n := range healthy {
			if s.rotations()[fmt.Sprintf("h%02d", n)] == 0 {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d of %d healthy accounts were not rotated 15 minutes after their time", late, healthy)
		}
	})
}

func TestAStandbyMakesNoLoginAndForwardsReads(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]consts.ReplicationState{
		"performance standby": consts.ReplicationPerformanceStandby, "DR secondary": consts.ReplicationDRSecondary,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := gst(t, time.Hour)
				s.token("app")
				s.node.state.Store(uint32(state))
				s.reload()
				s.minutes()
				pass(3 * time.Hour) // long past the token's rotation, and its end
				if got := s.logins(); got != 1 {
					t.Fatalf("%d logins by a %s", got-1, name)
				}
				puts := s.process.Load().disk.puts.Load()
				for _, c := range []struct {
					op   logical.Operation
					path string
				}{
					{logical.ReadOperation, "token/app"}, {logical.UpdateOperation, "token/app"}, {logical.UpdateOperation, "rotate/gst"},
					{logical.UpdateOperation, "revoke/gst"}, {logical.ReadOperation, "status/gst"}, {logical.ListOperation, "status/"},
				} {
					req := &logical.Request{Operation: c.op, Path: c.path, Storage: s.storage, MountPoint: "mastersindia/"}
					resp, err := s.backend.HandleRequest(t.Context(), req)
					if !errors.Is(err, logical.ErrReadOnly) || resp != nil {
						t.Errorf("%s %s: error %v, answered: %t; want a bare ErrReadOnly, on which Vault forwards", c.op, c.path, err, resp != nil)
					}
				}
				if s.logins() != 1 || s.process.Load().disk.puts.Load() != puts {
					t.Error("a request on a standby had an effect before it was forwarded")
				}
				s.node.state.Store(0) // it becomes the active node
				pass(2 * time.Minute)
				s.token("app")
				pass(41 * time.Minute)
				s.wantLogins(3, "the node that became active reads and rotates")
			})
		})
	}
}

func TestANodeThatBecomesAStandbyStopsRotating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, time.Hour)
		s.minutes()
		s.token("app")
		pass(time.Minute)
		s.node.state.Store(uint32(consts.ReplicationPerformanceStandby))
		pass(24 * time.Hour)
		if got := s.logins(); got != 1 {
			t.Errorf("%d logins by a standby", got-1)
		}
	})
}

func TestAPerformanceSecondaryForwardsWritesBeforeAnyEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, time.Hour)
		s.node.state.Store(uint32(consts.ReplicationPerformanceSecondary))
		s.reload()
		for path, data := range map[string]map[string]any{
			"config/gst": {"password": "pass-of-clerk", "headers": "X-Branch=7"}, "config/new": jwtConfig(), "role/new": {"config": "gst"},
		} {
			for _, op := range []logical.Operation{logical.CreateOperation, logical.UpdateOperation, logical.DeleteOperation} {
				if op == logical.DeleteOperation {
					data = nil
				}
				req := &logical.Request{Operation: op, Path: path, Data: data, Storage: s.storage, MountPoint: "mastersindia/"}
				if resp, err := s.backend.HandleRequest(t.Context(), req); !errors.Is(err, logical.ErrReadOnly) || resp != nil {
					t.Errorf("%s %s: %v, %v; want ErrReadOnly", op, path, resp, err)
				}
			}
		}
		if got := s.logins(); got != 0 {
			t.Errorf("%d logins by writes that were forwarded", got)
		}
		// Its own readers are served: each cluster has its own shared token.
		s.token("app")
		s.wantLogins(1)
	})
}

func TestStopEndsALoginAtOnceAndDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, jwtAccount(withTTL(time.Hour)))
		const many = 20
		s.accounts(many)
		s.sim.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		var readers sync.WaitGroup
		for n := range many {
			readers.Go(func() {
				if _, err := s.ask(t.Context(), account(n), nil); codeOf(err) != 503 {
					t.Errorf("a reader during a stop was answered %d (%v), want 503", codeOf(err), err)
				}
			})
		}
		pass(time.Second)
		if got := s.logins(); got != many {
			t.Fatalf("%d logins in flight, want %d", got, many)
		}
		began := time.Now()
		s.stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
		readers.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("readers were let go %s after the stop", took)
		}
		pass(time.Hour)
		if got := s.logins(); got != many {
			t.Errorf("%d logins after the stop", got-many)
		}
	})
}

func TestStopIsNotHeldUpByStorage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gst(t, time.Hour)
		s.token("app")
		s.process.Load().disk.dead.Store(true)
		began := time.Now()
		s.stop()
		s.stop() // twice does no harm
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
	})
}
