-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the lines tell together. The parts run in this order; resolve.go unites the classes in between.

-- part: index
CREATE INDEX line_request ON line (request, half, caller, token);
CREATE TABLE wrapping (id INTEGER PRIMARY KEY, name TEXT UNIQUE, class INTEGER);
INSERT INTO wrapping (name) SELECT made FROM line WHERE made <> '' UNION SELECT opened FROM line WHERE opened <> '';
UPDATE wrapping SET class = id;

-- part: merge
-- One request, merged of its halves, from all devices, nodes and copies of files. Nothing depends on the order of lines.
CREATE TABLE request (
  key INTEGER PRIMARY KEY, id TEXT, began INTEGER, ns INTEGER, time TEXT, kind TEXT, outcome INTEGER, operation TEXT, namespace TEXT,
  mount TEXT, accessor TEXT, path TEXT, name TEXT, seen INTEGER, seen_token INTEGER, remote TEXT, lease TEXT, reason TEXT, as_text INTEGER,
  made INTEGER, opened INTEGER, -- classes of the wrappings
  caller INTEGER, token INTEGER, -- classes
  mine INTEGER,      -- it is about the mount of the report
  in_span INTEGER,   -- it is between -since and -until
  origin INTEGER,    -- of an unwrapping: the request whose response was wrapped
  opened_by INTEGER, -- of a wrapped read: the request that unwrapped it
  followed INTEGER); -- of a forwarded request: the active node's log has it too
INSERT INTO request
SELECT m.key, m.id, began, ns, time, kind, outcome, operation, m.namespace, m.mount, m.accessor, path, m.name, seen, seen_token, remote, lease,
  CASE WHEN m.outcome IN (3, 4) THEN reason ELSE '' END, as_text, (SELECT class FROM wrapping WHERE made <> '' AND wrapping.name = made),
  (SELECT class FROM wrapping WHERE opened <> '' AND wrapping.name = opened), s.class, coalesce((SELECT class FROM seen_token WHERE id = seen_token), 0),
  p.namespace IN ('*', m.namespace) AND (m.mount = p.mount OR m.accessor <> '' AND m.accessor IN (SELECT accessor FROM mount WHERE path = p.mount)
    OR kind = 'admin' AND (m.path = 'sys/remount' OR m.mount IN (
      SELECT path FROM mount WHERE accessor IN (SELECT accessor FROM mount WHERE path = p.mount)))),
  ns >= coalesce(p.since, ns) AND ns < coalesce(p.until, ns + 1), NULL, NULL, 0
FROM (SELECT request AS key, min(id) AS id, min(CASE half WHEN 1 THEN ns END) AS began, coalesce(min(CASE half WHEN 2 THEN ns END), min(ns)) AS ns,
    coalesce(min(CASE half WHEN 2 THEN time END), min(time)) AS time, coalesce(max(CASE half WHEN 2 THEN kind END), max(kind)) AS kind,
    coalesce(max(CASE half WHEN 2 THEN outcome END), max(outcome)) AS outcome, max(operation) AS operation, max(namespace) AS namespace, max(mount) AS mount,
    max(accessor) AS accessor, max(path) AS path, max(name) AS name, coalesce(max(CASE half WHEN 2 THEN caller END), max(caller)) AS seen,
    max(token) AS seen_token, max(remote) AS remote, max(lease) AS lease, max(reason) AS reason,
    max(as_text) AS as_text, max(made) AS made, max(opened) AS opened
  FROM line GROUP BY request) m JOIN seen_caller s ON s.id = m.seen, setting p;

-- Wrapped reads and who unwrapped them, in whatever number of steps.
CREATE INDEX request_made ON request (made) WHERE made IS NOT NULL;
CREATE INDEX request_opened ON request (opened) WHERE opened IS NOT NULL;
UPDATE request SET origin = (SELECT min(o.key) FROM request o WHERE o.made = request.opened AND o.kind NOT IN ('unwrap', 'rewrap'))
  WHERE kind = 'unwrap' AND opened IS NOT NULL;
UPDATE request SET opened_by = (
    SELECT min(u.key) FROM request u WHERE u.opened = request.made AND u.kind = 'unwrap' AND u.outcome = 5)
  WHERE kind = 'read' AND made IS NOT NULL;
UPDATE request SET token = coalesce((SELECT u.token FROM request u WHERE u.key = request.opened_by), 0) WHERE opened_by IS NOT NULL;
UPDATE request SET name = o.name, mount = o.mount, accessor = o.accessor, mine = o.mine
  FROM request o WHERE o.key = request.origin AND o.kind = 'read';
-- Without the wrapped read in the log, the lease tells mount and role. Without a lease, the shape of the response tells the engine.
UPDATE request SET mount = substr(lease, 1, instr(lease, 'token/') - 1),
    name = substr(lease, instr(lease, 'token/') + 6, instr(substr(lease, instr(lease, 'token/') + 6), '/') - 1)
  WHERE kind = 'unwrap' AND origin IS NULL AND lease LIKE '%_/token/_%/_%';
UPDATE request SET mine = 1 WHERE kind = 'unwrap' AND origin IS NULL AND seen_token <> 0
  AND (SELECT namespace FROM setting) IN ('*', request.namespace)
  AND (mount = (SELECT mount FROM setting)
    OR mount IN (SELECT path FROM mount WHERE accessor IN (
      SELECT accessor FROM mount WHERE path = (SELECT mount FROM setting)))
    OR lease = '' AND EXISTS (SELECT 1 FROM seen_token t WHERE t.id = seen_token AND t.access <> '' AND t.token_id || t.hidden_id <> ''));

-- A standby forwards what only the active node can do, which logs it under an id of its own.
CREATE INDEX request_caller ON request (caller, ns);
UPDATE request SET followed = 1 WHERE outcome = 1 AND EXISTS (
  SELECT 1 FROM request a WHERE a.caller = request.caller AND a.path = request.path AND a.outcome <> 1
    AND a.ns BETWEEN request.ns - 60000000000 AND request.ns + 120000000000);

ALTER TABLE seen_caller ADD COLUMN method TEXT;
ALTER TABLE seen_caller ADD COLUMN method_accessor TEXT NOT NULL DEFAULT '';
UPDATE seen_caller SET method = (SELECT min(method) FROM login WHERE login.accessor = seen_caller.accessor),
  method_accessor = coalesce((SELECT min(method_accessor) FROM login WHERE login.accessor = seen_caller.accessor), '');
-- Without the login in the log, the display name tells: Vault makes it of the method's path and a name.
UPDATE seen_caller SET method = CASE
    WHEN display LIKE '(%' OR display LIKE 'holder of %' THEN ''
    WHEN display IN ('root', 'token') OR display LIKE 'token-%' THEN 'auth/token?'
    WHEN instr(display, '-') > 1 THEN 'auth/' || substr(display, 1, instr(display, '-') - 1) || '?'
    WHEN entity <> '' THEN 'auth/' || display || '?'
    ELSE '' END
  WHERE method IS NULL;

-- One identity: the entity, else the accessor of the Vault token, else its HMAC.
CREATE TABLE caller (id INTEGER PRIMARY KEY, entity_id TEXT, accessor TEXT, identity TEXT);
INSERT INTO caller SELECT class, max(entity), coalesce(min(nullif(accessor, '')), ''),
    coalesce(nullif(max(entity), ''), min(nullif(accessor, '')), min(nullif(client, '')), min(nullif(inbound, '')), '')
  FROM seen_caller GROUP BY class;
UPDATE caller SET accessor = '' WHERE entity_id <> '';

-- One token. It is known when the log has its token_id, or HMACs of a device and salt that Vault was asked about.
CREATE TABLE token (id INTEGER PRIMARY KEY, token_id TEXT, hmac TEXT, config TEXT, configs INTEGER, issued TEXT, expires TEXT, known INTEGER,
  revoked_ns INTEGER, revoked_at TEXT);
INSERT INTO token SELECT class, coalesce(min(nullif(token_id, '')), ''),
    coalesce(min(nullif(access, '')), min(nullif(hidden_id, '')), ''), max(config), count(DISTINCT nullif(config, '')),
    coalesce(min(nullif(issued, '')), ''), max(expires),
    max(token_id <> '' OR access || hidden_id <> '' AND (kind IN (SELECT value FROM hmac) OR hidden_config IN (SELECT value FROM hmac))), NULL, NULL
  FROM seen_token GROUP BY class;
UPDATE token SET (revoked_ns, revoked_at) = (
    SELECT ns, time FROM request JOIN revoked ON revoked.request = request.key
    WHERE revoked.token_id = token.token_id AND request.kind = 'revoke' AND request.outcome = 5 ORDER BY ns LIMIT 1)
  WHERE token_id <> '';

-- part: leak
-- What a read says of the leaked token: yes, or possible and why. Reads that certainly gave another token are not in it.
CREATE TABLE leak (request INTEGER PRIMARY KEY, verdict TEXT NOT NULL, why TEXT NOT NULL);
INSERT INTO leak SELECT key,
  CASE WHEN outcome = 5 AND token = :leaked THEN 'yes' ELSE 'possible' END,
  CASE WHEN outcome = 5 AND token = :leaked THEN ''
    WHEN outcome = 2 THEN 'its response is not in the log'
    WHEN outcome = 1 THEN 'forwarded to the active node, whose log does not have it'
    WHEN kind = 'read' AND made IS NOT NULL THEN 'wrapped, and not unwrapped in the log'
    WHEN as_text THEN 'unwrapped as one text, of which the log has one HMAC'
    WHEN seen_token = 0 THEN 'its response shows no token'
    WHEN NOT EXISTS (SELECT 1 FROM hmac) THEN 'the log has HMACs only, and Vault was not asked for that of the token'
    ELSE 'its HMACs are of another audit device, or of one before it was enabled anew'
  END || CASE WHEN kind = 'unwrap' AND origin IS NULL AND token <> :leaked THEN '; the wrapped read is not in the log' ELSE '' END
FROM request
WHERE kind IN ('read', 'unwrap') AND outcome NOT IN (3, 4) AND NOT (outcome = 1 AND followed) AND NOT (kind = 'read' AND opened_by IS NOT NULL)
  AND CASE
    WHEN outcome = 5 AND token = :leaked THEN 1
    WHEN outcome = 5 AND (SELECT known FROM token WHERE id = request.token) THEN 0
    WHEN outcome = 5 AND kind = 'unwrap' AND seen_token = 0 AND NOT as_text THEN 0
    -- What somebody else has wrapped may be the token all the same: sys/wrapping/wrap takes any text.
    WHEN NOT mine AND NOT (kind = 'unwrap' AND (seen_token <> 0 OR origin IS NULL AND (as_text OR outcome = 2))) THEN 0
    ELSE 1 END;

-- Outside of the token's life nobody is given it: five minutes are for slow requests and for clocks that differ.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (
  SELECT 1 FROM request r, token t WHERE r.key = leak.request AND t.id = :leaked
    AND (julianday(t.issued) IS NOT NULL AND julianday(r.time) < julianday(t.issued) - 300 / 86400.0
      OR r.kind = 'read' AND julianday(t.expires) IS NOT NULL AND julianday(r.time) > julianday(t.expires) + 300 / 86400.0));

-- Where a role pointed, as far as it is shown: by writes of the role, '' where the config is hidden, and by what reads gave.
CREATE TABLE pointed (role TEXT, ns INTEGER, config TEXT, written INTEGER);
INSERT INTO pointed
  SELECT coalesce(nullif(r.accessor, ''), r.mount) || ' ' || r.name, r.ns,
    coalesce((SELECT max(value) FROM parameter p WHERE p.request = r.key AND p.name = 'config'), ''), 1
  FROM request r WHERE substr(r.path, -length('role/' || r.name)) = 'role/' || r.name AND r.outcome NOT IN (3, 4)
    AND (r.kind = 'delete' OR r.kind = 'write' AND EXISTS (SELECT 1 FROM parameter p WHERE p.request = r.key AND p.name = 'config'))
  UNION ALL
  SELECT coalesce(nullif(r.accessor, ''), r.mount) || ' ' || r.name, r.ns, t.config, 0
  FROM request r JOIN token t ON t.id = r.token WHERE r.kind = 'read' AND r.outcome = 5 AND t.configs = 1
    AND r.name IN (SELECT q.name FROM leak JOIN request q ON q.key = leak.request WHERE verdict = 'possible');
CREATE INDEX pointed_role ON pointed (role, ns);
-- A role that pointed to another config before and after a read, with no write of it in between, did not give this token.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (
  SELECT 1 FROM request r, token t,
    pointed b ON b.role = coalesce(nullif(r.accessor, ''), r.mount) || ' ' || r.name AND b.ns <= r.ns - 300000000000
      AND b.ns = (SELECT max(ns) FROM pointed x WHERE x.role = b.role AND x.ns <= r.ns - 300000000000)
  WHERE r.key = leak.request AND r.kind = 'read' AND t.id = :leaked AND t.configs = 1 AND b.config NOT IN ('', t.config)
    AND NOT EXISTS (SELECT 1 FROM pointed w WHERE w.role = b.role AND w.config <> b.config AND w.ns >= b.ns
      AND (w.ns <= r.ns + 300000000000 OR NOT w.written AND NOT EXISTS (
        SELECT 1 FROM pointed v WHERE v.role = b.role AND v.written AND v.ns BETWEEN r.ns AND w.ns))));
