// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

// help is written like that of Vault's own tools.
const help = `Usage: mastersindia-audit [options] FILE...

  Reads Vault's audit log and reports what happened on a mount of the Masters India secrets engine: who was given which
  token, when and under which lease; what was denied; who changed which config or role; rotations and revocations, and
  whether a revoked token was handed out.

  FILE is what an audit device wrote in format json: plain or gzip, whole or rotated, with the lines of Docker or CRI around
  it or not; - is standard input. Give the files of all nodes and all devices together, in any order.

      $ mastersindia-audit /var/log/vault/audit.log

  The last day as a page for a browser:

      $ mastersindia-audit -since=24h -format=html -output=audit.html /var/log/vault/audit.log*

  Who was given a token that leaked? With VAULT_ADDR and VAULT_TOKEN set, Vault is asked for its audit devices and for the
  token's HMAC of each; the Vault token needs "read" and "sudo" on sys/audit, and "update" on sys/audit-hash/*:

      $ mastersindia-audit -token-file=leaked.txt /var/log/vault/audit.log

Options:

  -audit-device=<path>[,<path>]
      Ask Vault about these audit devices only, and do not list them. Once it is given, Vault is also asked for the HMACs of
      tokens that were revoked.

  -db=<file>
      Keep the database of what the log tells in this new file, for queries of your own: docs/audit.md has its schema.

  -format=<format>
      table, json, csv or html. The default is table. csv lists single requests, or, with a leaked token, those who received
      it; notes go to standard error then.

  -help
      Print this help.

  -max-rows=<number>
      How many single requests to list at most, of reads and of all else each; the newest are kept. Counts are exact in any
      case. The default is 5000.

  -mount=<path>
      Path of the mount in its namespace. The default is mastersindia/. A mount that was moved is followed.

  -namespace=<path>
      Only the mount in this namespace, root for the root namespace. The default is all.

  -output=<file>
      Write the report to this file, which only you can read, once it is complete. The default is standard output.

  -since=<time>
  -until=<time>
      Only what happened from or before a time, such as 2026-01-31T22:00:00Z or 2026-01-31, or a duration ago, such as 24h or
      7d. Alarms and the search for a leaked token always cover the whole log.

  -token-file=<file>
  -token-stdin
      Report who was given the token in this file, or on standard input. It may have its scheme before it, as in a header. A
      token is never given as an argument, where everybody on the machine could see it.

  -version
      Print the version.

Exit codes: 0 the report is written, 1 there is none, 2 wrong options, 3 the report is written, but the log does not tell all:
a file was missing or damaged, no line is about the mount, or a reader of a leaked token cannot be told from others.
`
