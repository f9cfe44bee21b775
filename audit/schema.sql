-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the lines of the log tell, in any order and as often as they come. Times are nanoseconds since 1970, and '' is unknown.

-- What the options of the report were: one row.
CREATE TABLE setting (version TEXT, mount TEXT, namespace TEXT, since INTEGER, until INTEGER, leaked TEXT);

-- What the reader of the report must know about the log.
CREATE TABLE note (text TEXT PRIMARY KEY, incomplete INTEGER NOT NULL) WITHOUT ROWID;

-- One line: a half of a request, as one device logged it.
CREATE TABLE line (
  request INTEGER NOT NULL, half INTEGER NOT NULL, ns INTEGER NOT NULL, time TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  outcome INTEGER NOT NULL, operation TEXT NOT NULL, namespace TEXT NOT NULL, mount TEXT NOT NULL, accessor TEXT NOT NULL,
  path TEXT NOT NULL, name TEXT NOT NULL, caller INTEGER NOT NULL, token INTEGER NOT NULL, remote TEXT NOT NULL,
  lease TEXT NOT NULL, reason TEXT NOT NULL, made TEXT NOT NULL, opened TEXT NOT NULL, as_text INTEGER NOT NULL);

-- A caller as one line has it. class is the same for all rows of one identity.
CREATE TABLE seen_caller (
  id INTEGER PRIMARY KEY, entity TEXT, accessor TEXT, client TEXT, inbound TEXT, display TEXT, policies TEXT, class INTEGER);

-- A token as one line has it. class is the same for all rows of one token.
CREATE TABLE seen_token (
  id INTEGER PRIMARY KEY, token_id TEXT, hidden_id TEXT, access TEXT, kind TEXT, hidden_config TEXT, config TEXT, issued TEXT,
  expires TEXT, class INTEGER);

CREATE TABLE parameter (request INTEGER, name TEXT, state TEXT, value TEXT, PRIMARY KEY (request, name, state, value)) WITHOUT ROWID;
CREATE TABLE revoked (request INTEGER, token_id TEXT, upstream TEXT, valid_until TEXT,
  PRIMARY KEY (request, token_id, upstream, valid_until)) WITHOUT ROWID;
CREATE TABLE secret (request INTEGER, name TEXT, PRIMARY KEY (request, name)) WITHOUT ROWID;
-- By which auth method the Vault token with an accessor was made.
CREATE TABLE login (accessor TEXT, method TEXT, method_accessor TEXT, PRIMARY KEY (accessor, method, method_accessor)) WITHOUT ROWID;

-- Mounts of the engine, under the paths that they had. A mount that is moved keeps its accessor.
CREATE TABLE mount (accessor TEXT, namespace TEXT, path TEXT, first INTEGER, last INTEGER, PRIMARY KEY (accessor, namespace, path)) WITHOUT ROWID;

-- What Vault's audit devices make of texts that are known.
CREATE TABLE hmac (value TEXT PRIMARY KEY, device TEXT, of TEXT) WITHOUT ROWID;
