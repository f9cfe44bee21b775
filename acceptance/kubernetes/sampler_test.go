// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// samples are what was seen of one Secret, which was looked at every second.
type samples struct {
	// name is that of the account and its config, role what is read, and namespace that of the Secret.
	name, role, namespace string

	taken  int
	tokens []string // in the order in which they were there first
	// dead counts the samples whose token the upstream refused.
	dead int
	// least is the least life that an accepted token had left.
	least time.Duration
}

// take looks at the Secret once. One that is not there yet is no sample; one that has vanished is an error.
func (s *samples) take(ctx context.Context, c *cluster, v *server) error {
	token, err := c.secret(ctx, s.namespace, "mastersindia", "access_token")
	if err != nil || token == "" && s.taken == 0 {
		return err
	}
	if token == "" {
		return fmt.Errorf("the Secret of %s has no token any more", s.namespace)
	}
	left := harness.LifeLeft(token)
	accepted, err := v.accepted(ctx, token)
	if err != nil {
		return err
	}
	s.taken++
	if !slices.Contains(s.tokens, token) {
		s.tokens = append(s.tokens, token)
	} else if s.tokens[len(s.tokens)-1] != token {
		return fmt.Errorf("the Secret of %s went back to an older token", s.namespace)
	}
	switch {
	case !accepted:
		s.dead++
	case s.least == 0 || left < s.least:
		s.least = left
	}
	return nil
}

func table(t *testing.T, v *server, rows []*samples) string {
	t.Helper()
	text := fmt.Sprintf("%-10s %8s %8s %8s %12s %8s\n", "", "samples", "tokens", "dead", "least left", "logins")
	leases := 0
	for _, s := range rows {
		leases += v.leases(t, "mastersindia/token/"+s.role)
		text += fmt.Sprintf("%-10s %8d %8d %8d %12s %8d\n",
			s.name, s.taken, len(s.tokens), s.dead, s.least.Round(100*time.Millisecond), v.logins(s.name))
	}
	return text + fmt.Sprintf("leases left: %d of tokens, %d of logins by Kubernetes auth\n",
		leases, v.leases(t, "auth/kubernetes/login"))
}
