-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the lines tell together. Nothing depends on their order.
-- Names of the leaked token and of revoked ones, whether the log has them or not.
INSERT INTO seen_token SELECT -row_number() OVER (), token_id, hidden_id, access, '', '', '', '', '', '' FROM (SELECT leaked AS token_id, '' AS hidden_id, '' AS access FROM setting WHERE leaked <> '' UNION SELECT token_id, '', '' FROM revoked
  UNION SELECT rtrim(lower(text), char(10)), value, '' FROM hmac WHERE kind = 'id' UNION SELECT leaked, '', value FROM hmac, setting WHERE kind = 'leaked');
-- Here unite fills the table class.
-- One request, merged of its halves, from all devices, nodes and copies of files.
CREATE TABLE request (key INTEGER PRIMARY KEY, id TEXT, began INTEGER, ns INTEGER, kind TEXT, outcome INTEGER, operation TEXT, namespace TEXT,
  mount TEXT, accessor TEXT, path TEXT, name TEXT, seen INTEGER, seen_token INTEGER, remote TEXT, port INTEGER, lease TEXT, reason TEXT, missing TEXT,
  time TEXT AS (replace(datetime(ns / 1000000000, 'unixepoch'), ' ', 'T') || '.' || substr(ns, -9) || 'Z') STORED,
  caller INTEGER, token INTEGER, wrapping INTEGER, -- classes
  change INTEGER AS (kind IN ('write', 'delete', 'admin', 'rotate', 'revoke')) STORED, -- of a config, a role, a token or the mount
  -- It is about the mount of the report, between -since and -until. An unwrapping has the request whose response was wrapped as its
  -- origin, a wrapped read is opened_by the request that unwrapped it, and the active node's log has a forwarded request that is followed.
  mine INTEGER, in_span INTEGER, origin INTEGER, opened_by INTEGER, followed INTEGER);
INSERT INTO request SELECT m.*, coalesce(c.class, m.seen), coalesce(t.class, m.seen_token), coalesce(w.class, (SELECT request FROM wrapping WHERE request = key)),
  p.namespace IN ('*', m.namespace) AND (m.mount = p.mount OR m.path = 'sys/remount'), ns >= p.since AND ns < p.until, NULL, NULL, 0
FROM (SELECT request AS key, min(id), min(nullif(began, 0)), coalesce(min(nullif(ended, 0)), min(began)) AS ns,
    coalesce(max(kind) FILTER (WHERE ended AND kind = 'rewrap'), max(kind) FILTER (WHERE ended AND missing = ''), max(kind) FILTER (WHERE missing = ''), max(kind)) AS kind, coalesce(CASE WHEN max(token) = 0 THEN max(outcome) FILTER (WHERE ended AND outcome IN (3, 4)) END, max(outcome) FILTER (WHERE ended), max(outcome)) AS outcome,
    max(operation), max(namespace) AS namespace, max(mount) AS mount, max(accessor) AS accessor, coalesce(max(path) FILTER (WHERE missing = ''), max(path)) AS path, coalesce(max(name) FILTER (WHERE missing = ''), max(name)),
    coalesce(max(caller) FILTER (WHERE missing = ''), max(caller)) AS seen, max(token) AS seen_token, max(remote), max(port), max(lease), coalesce(nullif(max(reason) FILTER (WHERE reason NOT LIKE 'hidden (HMAC)%'), ''), max(reason)), max(min(missing), coalesce(min(missing) FILTER (WHERE ended AND (missing = '' OR missing LIKE '%data')), '')) FROM line GROUP BY request) m
  LEFT JOIN class c ON c.id = m.seen LEFT JOIN class t ON t.id = m.seen_token LEFT JOIN class w ON w.id = m.key, setting p;
-- Mounts of the engine, under the paths that they had, the last as the first. A mount that is moved keeps its accessor.
CREATE TABLE mount AS SELECT accessor, namespace, mount AS path, min(ns) AS first, max(ns) AS last, row_number() OVER (PARTITION BY accessor ORDER BY max(ns) DESC, mount) AS age FROM request WHERE accessor <> '' GROUP BY 1, 2, 3;
CREATE TABLE own AS SELECT DISTINCT accessor FROM mount m JOIN setting p ON m.path = p.mount AND p.namespace IN ('*', m.namespace); -- also where it has gone from there
DELETE FROM parameter WHERE state = 'hidden' AND (request, name) IN (SELECT request, name FROM parameter WHERE state = 'shown'); -- by another device
DELETE FROM revoked WHERE upstream = '' AND (request, token_id) IN (SELECT request, token_id FROM revoked WHERE upstream <> '');
-- Vault logs the accessor with responses of the mount only: other requests have that of the last response at their path, or of the first.
CREATE INDEX request_mount ON request (mount, namespace, ns) WHERE accessor <> '';
UPDATE request SET accessor = coalesce((SELECT accessor FROM request a WHERE a.mount = request.mount AND a.namespace = request.namespace AND a.accessor <> '' AND a.ns <= request.ns ORDER BY a.ns DESC LIMIT 1), (SELECT accessor FROM request a WHERE a.mount = request.mount AND a.namespace = request.namespace AND a.accessor <> '' ORDER BY a.ns LIMIT 1), '') WHERE accessor = '';
UPDATE request SET mine = 1 WHERE NOT mine AND accessor IN (SELECT accessor FROM own);
-- Wrapped reads and who unwrapped them, in whatever number of steps.
CREATE INDEX request_wrapping ON request (wrapping) WHERE wrapping IS NOT NULL;
UPDATE request SET origin = o.key FROM (SELECT wrapping, min(key) AS key FROM request WHERE wrapping IS NOT NULL AND kind NOT IN ('unwrap', 'rewrap') GROUP BY wrapping) o
  WHERE o.wrapping = request.wrapping AND request.kind IN ('unwrap', 'rewrap');
UPDATE request SET opened_by = (SELECT u.key FROM request u WHERE u.wrapping = request.wrapping AND u.kind = 'unwrap' AND u.outcome = 5 ORDER BY u.seen_token <> 0 DESC, u.key LIMIT 1) WHERE kind = 'read' AND wrapping IS NOT NULL;
UPDATE request SET token = coalesce((SELECT u.token FROM request u WHERE u.key = request.opened_by), 0) WHERE opened_by IS NOT NULL;
UPDATE request SET name = o.name, mount = o.mount, accessor = o.accessor, mine = o.mine FROM request o WHERE o.key = request.origin AND o.kind = 'read';
-- Without the wrapped read in the log, the lease told mount and role. Without a lease, the shape of the response tells the engine.
UPDATE request SET mine = 1 FROM setting p WHERE kind = 'unwrap' AND origin IS NULL AND seen_token <> 0 AND p.namespace IN ('*', request.namespace) AND (request.mount = p.mount OR request.mount IN (SELECT path FROM mount JOIN own USING (accessor))
    OR lease = '' AND EXISTS (SELECT 1 FROM seen_token t WHERE t.id = seen_token AND t.access || t.token_id <> '' AND t.kind <> ''));
-- A standby forwards what only the active node can do, which logs it under an id of its own, within a second, and clocks differ by a second. Both log the address and port of the client: what came through another connection is another request.
CREATE INDEX request_caller ON request (caller, coalesce(began, ns)); UPDATE request SET followed = 1 WHERE outcome = 1 AND port > 0 AND (
  SELECT sum(CASE outcome WHEN 1 THEN -1 WHEN 3 THEN 0 ELSE outcome = 5 OR kind <> 'unwrap' AND reason NOT LIKE 'rpc error%' END) FROM request a WHERE a.caller = request.caller AND a.path = request.path AND a.operation = request.operation
    AND a.namespace = request.namespace AND a.remote = request.remote AND a.port = request.port AND (request.kind <> 'unwrap' OR a.wrapping IS request.wrapping)
    AND coalesce(a.began, a.ns) BETWEEN coalesce(request.began, request.ns) - 1000000000 AND request.ns + 2000000000) >= 0;
-- One identity: the entity, else the accessor of the Vault token, else its HMAC.
CREATE TABLE caller (id INTEGER PRIMARY KEY, identity TEXT); INSERT INTO caller SELECT coalesce(class, s.id) AS c, coalesce(nullif(max(entity), ''), min(nullif(accessor, '')), min(nullif(client, '')), min(nullif(inbound, '')), '') FROM seen_caller s LEFT JOIN class USING (id) GROUP BY c;
-- One token. It is known when the log has its token_id, or HMACs of a device and salt that Vault was asked about.
CREATE TABLE token (id INTEGER PRIMARY KEY, token_id TEXT, hmac TEXT, config TEXT, issued TEXT, expires TEXT, known INTEGER, revoked_ns INTEGER, revoked_at TEXT);
INSERT INTO token SELECT coalesce(class, s.id) AS c, max(token_id), coalesce(min(nullif(access, '')) FILTER (WHERE s.id > 0), min(nullif(hidden_id, '')) FILTER (WHERE s.id > 0), ''), coalesce(group_concat(DISTINCT nullif(config, '') ORDER BY config), ''),
    -- Where it was issued twice, or an upstream repeats tokens, it may have been issued earlier as well.
    CASE WHEN count(DISTINCT unixepoch(issued)) = 1 AND NOT EXISTS (SELECT 1 FROM line WHERE reason LIKE '%the upstream repeats %') THEN max(issued) FILTER (WHERE unixepoch(issued) > 0) ELSE '' END, max(expires),
    max(token_id <> '' OR access || hidden_id <> '' AND (kind IN (SELECT value FROM hmac WHERE hmac.kind = 'text') OR hidden_config IN (SELECT value FROM hmac WHERE hmac.kind = 'text'))), NULL, NULL FROM seen_token s LEFT JOIN class USING (id) GROUP BY c;
-- When one mount was given it says nothing of another that shows no such time. (The + has SQLite make a list only where it is asked.)
UPDATE token SET issued = '' WHERE issued <> '' AND ((SELECT count(DISTINCT accessor) FROM mount) > 1 OR EXISTS (SELECT 1 FROM request WHERE kind = 'unwrap' AND accessor = '' AND mount <> '')) AND +id IN (SELECT r.token FROM request r JOIN seen_token s ON s.id = r.seen_token WHERE r.kind IN ('read', 'unwrap') GROUP BY r.token, r.accessor HAVING max(s.issued) = '');
-- Which requests gave which tokens. Who unwraps tokens that are under any other name was given them.
CREATE VIEW hidden_token AS SELECT coalesce(class, id) AS id, value FROM (SELECT id, access AS value FROM seen_token UNION SELECT id, authorization FROM seen_token) LEFT JOIN class USING (id) WHERE value <> ''; -- its HMACs, also with its scheme
CREATE TABLE given (token INTEGER, request INTEGER, PRIMARY KEY (token, request)) WITHOUT ROWID;
INSERT OR IGNORE INTO given SELECT token, key FROM request WHERE token <> 0 AND kind IN ('read', 'unwrap') AND outcome = 5 AND opened_by IS NULL
  UNION ALL SELECT h.id, key FROM named JOIN hidden_token h USING (value) JOIN request ON key = named.request WHERE request.kind = 'unwrap' AND outcome = 5;
UPDATE request SET token = (SELECT min(token) FROM given WHERE given.request = key) WHERE kind = 'unwrap' AND token = 0 AND +key IN (SELECT request FROM given);
CREATE INDEX token_id ON token (token_id) WHERE token_id <> '';
UPDATE token SET revoked_ns = v.ns, revoked_at = v.time FROM (SELECT token_id, min(ns) AS ns, min(time) AS time FROM request JOIN revoked ON revoked.request = key WHERE kind = 'revoke' AND outcome = 5 GROUP BY 1) v WHERE v.token_id = token.token_id AND token.token_id <> '';
-- Reads whose token the log does not show, and why.
CREATE TABLE unjudged AS SELECT key AS request, CASE WHEN outcome = 2 THEN 'its response is not in the log' WHEN outcome = 1 THEN 'forwarded to the active node, whose log does not have it with this remote_port' WHEN kind = 'read' AND wrapping IS NOT NULL THEN 'wrapped, and not unwrapped in the log' WHEN kind = 'rewrap' THEN 'wrapped anew, and not unwrapped in the log'
    WHEN kind = 'unwrap' AND reason <> '' THEN reason WHEN seen_token = 0 THEN 'its response shows no token'
    WHEN NOT EXISTS (SELECT 1 FROM hmac) THEN 'the log has HMACs only, and Vault was not asked for that of the token' ELSE 'its HMACs may be of another audit device, or of one before it was enabled anew'
  END || CASE WHEN kind <> 'read' AND origin IS NULL THEN '; the wrapped read is not in the log' ELSE '' END AS why
FROM request r WHERE kind IN ('read', 'unwrap') AND outcome NOT IN (3, 4) AND NOT followed AND opened_by IS NULL
  AND NOT (outcome = 5 AND coalesce((SELECT known FROM token WHERE id = r.token), 0))
  -- What is unwrapped is judged where it is of this engine, or may be: it shows a token, or nothing of what was wrapped.
  AND (kind = 'read' OR seen_token <> 0 AND coalesce((SELECT path LIKE '%token/%' OR path = 'sys/wrapping/wrap' FROM request o WHERE o.key = r.origin), 1) OR (SELECT kind FROM request o WHERE o.key = r.origin) = 'read'
    OR origin IS NULL AND (reason <> '' OR outcome < 3 OR mount <> ''))
  OR kind = 'rewrap' AND origin IS NULL AND (mount <> '' OR outcome < 3 AND NOT followed OR outcome = 5 AND path LIKE '%unwrap') AND NOT EXISTS (SELECT 1 FROM request u WHERE u.wrapping = r.wrapping AND u.kind = 'unwrap' AND u.outcome IN (2, 5));
-- Who was given the leaked token: without one, nothing is in these tables. sought is the token.
CREATE TABLE sought AS SELECT * FROM token WHERE id IN (SELECT coalesce(class, s.id) FROM seen_token s LEFT JOIN class USING (id) JOIN setting ON leaked = token_id WHERE leaked <> '');
-- What a read says of it: yes, or possible and why. Reads that certainly gave another token are not in it.
CREATE TABLE sought_name AS SELECT value FROM hmac WHERE kind = 'leaked' UNION VALUES ('leaked') UNION SELECT value FROM hidden_token JOIN sought USING (id);
CREATE TABLE leak (request INTEGER PRIMARY KEY, verdict TEXT, why TEXT);
INSERT INTO leak SELECT key, 'yes', '' FROM sought CROSS JOIN request r WHERE kind IN ('read', 'unwrap') AND (outcome = 5 AND token = sought.id AND opened_by IS NULL
  OR kind = 'unwrap' AND EXISTS (SELECT 1 FROM named n JOIN sought_name USING (value) WHERE n.request = r.key));
INSERT OR IGNORE INTO leak SELECT request, 'possible', why FROM unjudged, sought;
-- A day before a JWT says that it was issued, whatever zone its clock is in, nobody was given it, unless somebody was. Its end rules nobody out.
DELETE FROM leak WHERE verdict = 'possible' AND request IN (SELECT key FROM request, setting WHERE ns / 1000000000 < leaked_iat - 86400)
  AND NOT EXISTS (SELECT 1 FROM request JOIN leak l ON l.request = key AND l.verdict = 'yes', setting WHERE ns / 1000000000 < leaked_iat - 86400);
-- Who wrapped the token, or named it as rejected, had it from somewhere.
INSERT OR IGNORE INTO leak SELECT r.key, 'possible', 'it names the leaked token, and no read in the log is known to have given its caller that'
FROM named n JOIN request r ON r.key = n.request WHERE (r.kind IN ('read', 'wrap') AND n.value IN sought_name OR r.kind = 'read' AND n.value IN (SELECT leaked FROM setting UNION SELECT value FROM hmac, setting WHERE rtrim(lower(text), char(10)) = leaked))
  AND r.caller NOT IN (SELECT caller FROM request JOIN leak ON leak.request = key AND verdict = 'yes');
-- Who unwraps it may be given it where the log does not show what they got, and somebody else may be where it does not show who does.
INSERT OR IGNORE INTO leak SELECT r.key, 'possible', CASE r.kind WHEN 'wrap' THEN 'it wraps the leaked token, and that is not unwrapped in the log' ELSE 'it unwraps the leaked token, and the log does not show what it got' END
FROM named n JOIN sought_name USING (value) JOIN request o ON o.key = n.request JOIN request r ON r.wrapping = o.wrapping OR r.key = o.key WHERE o.kind = 'wrap' AND o.outcome NOT IN (3, 4) AND (r.kind = 'unwrap' AND r.outcome NOT IN (3, 4) AND NOT r.followed
  OR r.key = o.key AND NOT EXISTS (SELECT 1 FROM request u WHERE u.wrapping = o.wrapping AND u.kind = 'unwrap' AND (u.outcome IN (2, 5) OR u.key IN (SELECT request FROM leak))));
