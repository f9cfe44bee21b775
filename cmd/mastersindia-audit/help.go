// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

// help is written like that of Vault's own tools.
const help = `Usage: mastersindia-audit [options] FILE...

  Reads Vault's audit log and reports what happened on a mount of the Masters India secrets engine: who was given which
  token, when and under which lease; what was denied; who changed which config or role; rotations and revocations, and
  whether a revoked token was handed out.

  The log is what an audit device of type file writes (format json), or of type syslog or socket once it is in a file. Several
  files are read in the order of their first entries; gzip is recognised by content; - is standard input. Logs of any size are
  read in one pass and in less than 100 MB of memory.

      $ mastersindia-audit /var/log/vault/audit.log

  The last day as a page to look at in a browser:

      $ mastersindia-audit -since=24h -format=html -output=audit.html /var/log/vault/audit.log*

  Who was given a token that got out? With VAULT_ADDR and VAULT_TOKEN set, Vault is asked for the token's HMAC; the Vault token
  needs "update" on sys/audit-hash/file:

      $ mastersindia-audit -token-file=leaked.txt /var/log/vault/audit.log

Options:

  -audit-device=<path>
      Path of the audit device that wrote the log (vault audit list), which Vault hashes the leaked token for. The default is
      file. Once it is given, Vault is also asked for the HMACs of tokens that were revoked.

  -format=<format>
      table, json, csv or html. The default is table. csv lists single requests, or, with a leaked token, those who received it;
      notes on what is missing go to standard error then.

  -help
      Print this help.

  -max-rows=<number>
      How many single requests to list at most, of reads and of all else each; the newest are kept. More of them take more
      memory, about 1 kB each. Counts are exact in any case. The default is 5000.

  -mount=<path>
      Path of the mount in its namespace. The default is mastersindia/.

  -namespace=<path>
      Only the mount in this namespace, root for the root namespace. The default is all.

  -output=<file>
      Write the report to this file, which only you can read, once it is complete. The default is standard output.

  -since=<time>
  -until=<time>
      Only what happened from or before a time, such as 2026-01-31T22:00:00Z or 2026-01-31, or a duration ago, such as 24h or 7d.

  -token-file=<file>
  -token-stdin
      Report who was given the token in this file, or on standard input. It may have its scheme before it, as in a header. A token
      is never given as an argument, where everybody on the machine could see it.

  -version
      Print the version.

Exit codes: 0 the report is written, 1 there is none, 2 wrong options.
`
