# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# Vault Agent that keeps a file with a current token, and its Vault token in another. See README.md.

vault {
  address = "https://vault.example.com:8200"
  # ca_cert = "/etc/mastersindia-agent/vault-ca.pem" # where Vault's certificate is of a CA that the system does not know
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/run/credentials/mastersindia-agent.service/role-id"
      secret_id_file_path = "/run/credentials/mastersindia-agent.service/secret-id"

      # Agent logs in again after a restart, and when Vault has revoked its token.
      remove_secret_id_file_after_reading = false
    }
  }

  # For the programs of examples/clients: VAULT_TOKEN_FILE is this file.
  sink "file" {
    config = {
      path = "/run/mastersindia-agent/vault-token"
      mode = 0640
    }
  }
}

template_config {
  # An upstream that is down for an hour must not end the agent: the token in the file may well outlive the outage.
  exit_on_retry_failure = false
}

template {
  source      = "/etc/mastersindia-agent/header.ctmpl"
  destination = "/run/mastersindia-agent/header"
  perms       = "0640"

  error_on_missing_key = true

  # For a program that reads the file only when it starts. It is run when the token has changed, and not at each read:
  # exec {
  #   command = ["systemctl", "try-reload-or-restart", "billing.service"]
  # }
}
