-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the lines of the log tell, in any order and as often as they come. Times are nanoseconds since 1970, and '' is unknown.
CREATE TABLE setting (mount TEXT, namespace TEXT, since INTEGER, until INTEGER, leaked TEXT, leaked_iat REAL); -- the options: one row
CREATE TABLE note (text TEXT PRIMARY KEY, incomplete INTEGER) WITHOUT ROWID; -- what the reader of the report must know about the log
-- One line as a device logged it, of a request (began) or of its response (ended), or both where they stand close to each other: the
-- other time is 0. caller and token are rows of seen_caller and seen_token. The numbers of outcomes are explained in the view requests. The
-- kinds on a mount are read (of a token, through a role), write and delete (of a config or role), rotate, revoke, view (anything else) and
-- admin (of the mount as a whole, or of its leases); on others they are unwrap, rewrap, wrap (any other wrapped response),
-- and other (what lacks too much to tell; missing are the fields that the device left out).
CREATE TABLE line (request INTEGER, began INTEGER, ended INTEGER, id TEXT, kind TEXT, outcome INTEGER, operation TEXT, namespace TEXT, mount TEXT,
  accessor TEXT, path TEXT, name TEXT, caller INTEGER, token INTEGER, remote TEXT, port INTEGER, lease TEXT, reason TEXT, file TEXT, missing TEXT);
CREATE TABLE seen_caller (id INTEGER PRIMARY KEY, entity TEXT, accessor TEXT, client TEXT, inbound TEXT, display TEXT, policies TEXT); -- as a line has them
CREATE TABLE seen_token (id INTEGER PRIMARY KEY, token_id TEXT, hidden_id TEXT, access TEXT, authorization TEXT, kind TEXT, hidden_config TEXT, config TEXT, issued TEXT, expires TEXT);
-- What a request also had: parameters, revoked tokens, secrets in clear, wrapping tokens, and names of what it (un)wrapped or rejected.
CREATE TABLE parameter (request INTEGER, name TEXT, state TEXT, value TEXT, text TEXT AS (name || CASE state WHEN 'shown' THEN '=' || value ELSE ' (' || state || ')' END), PRIMARY KEY (request, name, state, value)) WITHOUT ROWID;
CREATE TABLE revoked (request INTEGER, token_id TEXT, upstream TEXT, valid_until TEXT, PRIMARY KEY (request, token_id, upstream, valid_until)) WITHOUT ROWID;
CREATE TABLE secret (request INTEGER, name TEXT, PRIMARY KEY (request, name)) WITHOUT ROWID; CREATE TABLE wrapping (request INTEGER, name TEXT, PRIMARY KEY (request, name)) WITHOUT ROWID;
CREATE TABLE source (file TEXT PRIMARY KEY, series TEXT, dated TEXT); -- a file, what it has in common with those that it was rotated with, and the digits of the date in its name
CREATE TABLE moment (series TEXT, ns INTEGER, PRIMARY KEY (series, ns)) WITHOUT ROWID; CREATE INDEX moment_ns ON moment (ns, series); -- of the first line of all, and one of each minute, whatever it is about
CREATE TABLE named (request INTEGER, value TEXT, PRIMARY KEY (request, value)) WITHOUT ROWID;
-- Rows that are the same: callers of one identity, tokens, and requests that made or took one wrapping, also after it was wrapped anew. What is in
-- lines of one request belongs together, but for names of tokens that anybody may have wrapped together. Rows that are the same, in any number of steps, have one class, their least id; without a row, it is their own.
CREATE TABLE class (id INTEGER PRIMARY KEY, class INTEGER);
CREATE VIEW same AS SELECT id AS a, min(id) OVER (PARTITION BY entity) AS b FROM seen_caller WHERE entity <> ''
  UNION ALL SELECT n.id, min(e.id) FROM seen_caller n JOIN seen_caller e USING (accessor) WHERE n.entity = '' AND e.entity <> '' AND accessor <> '' GROUP BY 1
  UNION ALL SELECT id, min(id) OVER (PARTITION BY accessor) FROM seen_caller WHERE entity = '' AND accessor <> '' UNION ALL SELECT id, min(id) OVER (PARTITION BY client) FROM seen_caller WHERE entity = '' AND client <> '' UNION ALL SELECT id, min(id) OVER (PARTITION BY inbound) FROM seen_caller WHERE entity = '' AND inbound <> ''
  UNION ALL SELECT caller, min(caller) OVER (PARTITION BY request) FROM line WHERE caller IN (SELECT id FROM seen_caller WHERE entity || accessor || client || inbound <> '')
  UNION ALL SELECT id, min(id) OVER (PARTITION BY token_id) FROM seen_token WHERE token_id <> '' UNION ALL SELECT id, min(id) OVER (PARTITION BY hidden_id) FROM seen_token WHERE hidden_id <> '' UNION ALL SELECT id, min(id) OVER (PARTITION BY access) FROM seen_token WHERE access <> ''
  UNION ALL SELECT token, min(token) OVER (PARTITION BY request) FROM line WHERE token <> 0 AND (kind = 'read' OR lease <> '' OR request IN (SELECT u.request FROM wrapping u JOIN wrapping o USING (name) JOIN line l ON l.request = o.request AND l.kind = 'read'))
  UNION ALL SELECT request, min(request) OVER (PARTITION BY name) FROM wrapping WHERE name <> '';
-- HMACs by Vault's audit devices of the leaked token, of token_ids, and of likely texts, which tell a device as it is today by its lines.
CREATE TABLE hmac (kind TEXT, text TEXT, value TEXT);
CREATE VIEW to_hash AS SELECT DISTINCT 'id' AS kind, token_id AS text FROM revoked UNION SELECT 'id', value FROM setting, json_each(json_array(leaked, upper(leaked), leaked || char(10))) WHERE leaked <> '' UNION VALUES ('text', 'JWT'), ('text', 'Bearer')
  UNION SELECT * FROM (SELECT 'text', value FROM parameter WHERE name = 'authorization_scheme' AND state = 'shown' AND value <> ''
    UNION SELECT 'text', config FROM seen_token WHERE config <> '' UNION SELECT 'text', name FROM line WHERE name <> '' AND outcome = 5 AND (path LIKE '%config/%' OR kind IN ('rotate', 'revoke')) LIMIT 500);
