// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

func TestEachProtocolGivesATokenThatUpstreamAccepts(t *testing.T) {
	t.Parallel()
	lives := map[simulator.Protocol]time.Duration{
		simulator.JWT: 24 * time.Hour, simulator.OAuth: time.Hour,
		simulator.SOAP: 4 * time.Hour, simulator.FirstVision: 7199 * time.Second,
	}
	for _, protocol := range simulator.Protocols() {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.app(t, protocol)
			answer := w.readToken(t, "app")
			w.upstream.wantAccepted(t, protocol, answer)
			w.upstream.wantLogins(t, 1) // The login that verified the account gave the token.

			life := int(lives[protocol] / time.Second)
			left := answer.Int("expires_in")
			if left > life || left < life-60 {
				t.Errorf("expires_in is %d, want a little less than %d", left, life)
			}
			if answer.LeaseDuration <= 0 || answer.LeaseDuration > left {
				t.Errorf("the lease lives %d s, the token %d s", answer.LeaseDuration, left)
			}
			if answer.LeaseDuration < left-6 {
				t.Errorf("the lease lives %d s of the token's %d s, want all but 5", answer.LeaseDuration, left)
			}
			if answer.Renewable || answer.LeaseID == "" || len(answer.Warnings) > 0 {
				t.Errorf("want a lease that is not renewable and no warning, got %q, renewable %t, %q",
					answer.LeaseID, answer.Renewable, answer.Warnings)
			}
		})
	}
}

func TestATokenAnswerHasEveryFieldOfTheContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.account(t, simulator.OAuth)
	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	answer := w.readToken(t, "app")

	token := answer.String("access_token")
	sum := sha256.Sum256([]byte(token))
	for field, want := range map[string]string{
		"token_type":    "Bearer",
		"authorization": "Bearer " + token,
		"token_id":      hex.EncodeToString(sum[:])[:16],
		"config":        "main",
		"client_id":     account.ClientID,
	} {
		if got := answer.String(field); got != want {
			t.Errorf("%s is not what it should be; want %d characters, got %d", field, len(want), len(got))
		}
	}
	issued, err1 := time.Parse(time.RFC3339, answer.String("issued_at"))
	expires, err2 := time.Parse(time.RFC3339, answer.String("expires_at"))
	if err1 != nil || err2 != nil || expires.Sub(issued).Round(time.Minute) != time.Hour {
		t.Errorf("issued_at %q and expires_at %q are not an hour apart", answer.String("issued_at"), answer.String("expires_at"))
	}
	if _, err := time.Parse(time.RFC3339Nano, answer.String("last_vault_rotation")); err != nil {
		t.Errorf("last_vault_rotation: %v", err)
	}
	if ttl, period := answer.Int("ttl"), answer.Int("rotation_period"); ttl < 5 || ttl > 3600 || period < 1 || period > 3600 {
		t.Errorf("ttl %d and rotation_period %d do not fit a token of an hour", ttl, period)
	}
	for field := range answer.Data {
		switch field {
		case "access_token", "token_type", "authorization", "token_id", "issued_at", "expires_at", "expires_in", "config",
			"client_id", "ttl", "rotation_period", "last_vault_rotation":
		default:
			t.Errorf("the answer has a field %s, of which the contract knows nothing", field)
		}
	}
}

func TestOnlyOAuthAnswersTellTheClientID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app(t, simulator.FirstVision)
	if answer := w.readToken(t, "app"); answer.Data["client_id"] != nil {
		t.Errorf("the answer tells the client_id %v of a protocol that does not use it with the token", answer.Data["client_id"])
	}
}

func TestEachRequestFormatLogsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	formats := map[simulator.Protocol][]string{
		simulator.JWT:         {"json", "form", "multipart"},
		simulator.OAuth:       {"json", "form"},
		simulator.FirstVision: {"json", "query"},
	}
	for protocol, list := range formats {
		for _, format := range list {
			name := string(protocol) + "-" + format
			w.writeConfig(t, name, w.account(t, protocol), "request_format="+format)
			w.writeRole(t, name, name)
			w.upstream.wantAccepted(t, protocol, w.readToken(t, name))
		}
	}
}

func TestReadersOfOneConfigShareOneToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "other", "main", "max_ttl=10m")
	first, second, other := w.readToken(t, "app"), w.readToken(t, "app"), w.readToken(t, "other")
	if first.String("token_id") != second.String("token_id") || first.String("token_id") != other.String("token_id") {
		t.Error("readers of one config got different tokens")
	}
	if first.LeaseID == second.LeaseID {
		t.Error("two readers share one lease: the first to end it would end it for both")
	}
	if other.LeaseDuration != 600 {
		t.Errorf("a role with max_ttl=10m gave a lease of %d s", other.LeaseDuration)
	}
	w.upstream.wantLogins(t, 1)
}

func TestAWriteToTokenAnswersLikeARead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app(t, simulator.SOAP)
	read := w.readToken(t, "app")
	written := w.readJSON(t, "write", "-force", "-format=json", "mastersindia/token/app")
	if read.String("token_id") != written.String("token_id") || written.LeaseID == "" {
		t.Errorf("a write to token/app did not answer like a read: token_id %q and %q, lease %q",
			read.String("token_id"), written.String("token_id"), written.LeaseID)
	}
}

func TestARoleWithoutLeaseGivesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "many", "main", "lease=false")
	answer := w.readToken(t, "many")
	if answer.LeaseID != "" || answer.LeaseDuration != 0 {
		t.Errorf("a role with lease=false gave the lease %q of %d s", answer.LeaseID, answer.LeaseDuration)
	}
	if answer.Int("ttl") < 5 {
		t.Errorf("without a lease clients go by ttl, which is %v", answer.Data["ttl"])
	}
	said := w.refused(t, "write", "mastersindia/role/many", "config=main", "lease=false", "max_ttl=1h")
	if !strings.Contains(said, "max_ttl") {
		t.Errorf("max_ttl with lease=false was refused without naming max_ttl: %s", said)
	}
}

func TestTheMountsMaximumBoundsTheLeaseWithoutAWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vault(t, "secrets", "tune", "-max-lease-ttl=30m", "mastersindia")
	w.app(t, simulator.JWT)
	answer := w.readToken(t, "app")
	if answer.LeaseDuration != 1800 || len(answer.Warnings) > 0 {
		t.Errorf("got a lease of %d s and warnings %q, want 1800 s and none", answer.LeaseDuration, answer.Warnings)
	}
}
