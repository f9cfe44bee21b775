// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"os/exec"
	"strings"
	"testing"
	"vault-plugin-secrets-mastersindia/internal/check"
)

const terraformExample = "../examples/terraform"

// TestTerraformExample_MatchesPolicyExample compares the policy that Terraform writes with the one that the tests of the
// policies prove, and has terraform, where it is here, judge the format. Terraform's provider is out of reach of a test.
func TestTerraformExample_MatchesPolicyExample(t *testing.T) {
	t.Parallel()
	main := readFile(t, terraformExample+"/main.tf")
	application := readFile(t, "../examples/policies/application.hcl")
	_, policy, _ := strings.Cut(string(main), "<<-EOT\n")
	policy, _, _ = strings.Cut(policy, "EOT\n")
	policy = strings.NewReplacer("${vault_mount.mastersindia.path}", "mastersindia", "${each.key}", "billing").Replace(policy)
	got, want := rulesOf(policy), rulesOf(string(application))
	check.True(t, got == want && got != "",
		"terraform writes the policy\n%s\nand examples/policies/application.hcl is\n%s", got, want)
	for _, secret := range []string{"password", "client_secret"} {
		check.True(t, !strings.Contains(rulesOf(string(main)), secret),
			"main.tf has a %s in it, which would lie in Terraform's state", secret)
	}
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skipf("the rest is left out: %v", err)
	}
	if said, err := exec.Command(terraform, "fmt", "-check", "-diff", terraformExample).CombinedOutput(); err != nil {
		t.Errorf("terraform fmt: %v\n%s", err, said)
	}
}

// rulesOf is a text in HCL without comments and layout.
func rulesOf(text string) string {
	var rules []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(rules, "\n")
}
