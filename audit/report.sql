-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the report is made of. Times are RFC 3339 in UTC.

-- One line for each request about the mount. in_span tells whether it is between -since and -until.
CREATE VIEW requests AS
SELECT r.time, r.kind, CASE r.outcome WHEN 1 THEN 'forwarded' WHEN 2 THEN 'unanswered' WHEN 3 THEN 'denied' WHEN 4 THEN 'refused' ELSE 'ok' END AS outcome,
  s.display || CASE WHEN s.method = '' THEN '' ELSE ' (' || rtrim(s.method, '/') || ')' END AS who, s.display AS display_name,
  c.entity_id, c.accessor, c.identity, s.method AS auth_method, s.method_accessor AS auth_accessor, s.policies,
  r.remote AS remote_address, r.operation, r.namespace, r.mount, r.path, r.name, coalesce(t.token_id, '') AS token_id, coalesce(t.hmac, '') AS token_hmac,
  coalesce(t.config, '') AS config, r.lease AS lease_id,
  CASE WHEN r.kind = 'read' AND r.made IS NOT NULL THEN CASE WHEN r.opened_by IS NULL THEN 'wrapped' ELSE 'wrapped, unwrapped' END
    WHEN r.kind = 'unwrap' THEN 'unwrapped' ELSE '' END AS wrapping,
  coalesce(a.display, '') AS asked_by, r.reason AS error,
  coalesce((SELECT group_concat(p.name || CASE p.state WHEN 'shown' THEN '=' || p.value ELSE ' (' || p.state || ')' END, ', ' ORDER BY p.name)
    FROM parameter p WHERE p.request = r.key), '') AS written,
  coalesce(t.revoked_at, '') AS revoked_at, r.id AS request_id, r.key, r.ns, r.caller, r.token,
  r.in_span
FROM request r JOIN seen_caller s ON s.id = r.seen JOIN caller c ON c.id = r.caller LEFT JOIN token t ON t.id = r.token
  LEFT JOIN request o ON o.key = r.origin LEFT JOIN seen_caller a ON a.id = o.seen
WHERE r.mine OR r.key IN (SELECT request FROM leak);

-- Who read what: reads that gave a token, or may have, by caller, role and token.
CREATE VIEW readings AS
SELECT g.display || CASE WHEN g.method = '' THEN '' ELSE ' (' || rtrim(g.method, '/') || ')' END AS who, g.display AS display_name, c.entity_id,
  c.accessor, c.identity, g.method AS auth_method, g.auth_accessor, g.policies, g.kind, g.mount, g.name AS role, coalesce(t.token_id, '') AS token_id,
  coalesce(t.hmac, '') AS token_hmac, g.state, coalesce(t.config, '') AS config, g.times, g.first, g.last, g.remote_addresses, g.last_lease,
  g.asked_by, coalesce(t.revoked_at, '') AS revoked_at, g.verdict, g.why, g.in_span
FROM (SELECT r.caller, s.display, s.method, max(s.method_accessor) AS auth_accessor, substr(max(r.time || s.policies), 31) AS policies,
    r.kind, r.mount, r.name, r.token, CASE r.outcome WHEN 1 THEN 'forwarded' WHEN 2 THEN 'unanswered' ELSE CASE WHEN r.kind = 'unwrap' THEN 'unwrapped'
      WHEN r.made IS NULL THEN '' WHEN r.opened_by IS NULL THEN 'wrapped' ELSE 'wrapped, unwrapped' END END AS state,
    count(*) AS times, min(r.time) AS first, max(r.time) AS last,
    CASE WHEN count(DISTINCT r.remote) < 9 THEN replace(group_concat(DISTINCT r.remote ORDER BY r.remote), ',', ' ')
      ELSE min(r.remote) || ' and ' || (count(DISTINCT r.remote) - 1) || ' more' END AS remote_addresses,
    substr(max(r.time || r.lease), 31) AS last_lease, coalesce(a.display, '') AS asked_by, l.verdict, l.why, r.in_span
  FROM request r JOIN seen_caller s ON s.id = r.seen LEFT JOIN leak l ON l.request = r.key
    LEFT JOIN request o ON o.key = r.origin LEFT JOIN seen_caller a ON a.id = o.seen
  WHERE r.kind IN ('read', 'unwrap') AND (r.mine AND r.in_span AND r.outcome IN (2, 5) OR l.verdict IS NOT NULL)
  GROUP BY r.caller, s.display, s.method, r.kind, r.mount, r.name, r.token, state, asked_by, l.verdict, l.why, r.in_span) g
JOIN caller c ON c.id = g.caller LEFT JOIN token t ON t.id = g.token;

CREATE VIEW refusals AS
SELECT outcome, who, display_name, entity_id, accessor, identity, path, error, count(*) AS times, min(time) AS first, max(time) AS last,
  replace(group_concat(DISTINCT remote_address ORDER BY remote_address), ',', ' ') AS remote_addresses
FROM requests WHERE outcome IN ('denied', 'refused') AND in_span
GROUP BY outcome, who, display_name, entity_id, accessor, identity, path, error;

-- Writes and deletes of configs and roles by object, at the path that their mount has now. gone is when that mount was disabled.
CREATE INDEX request_admin ON request (mount, ns) WHERE kind = 'admin';
CREATE TABLE object_write AS
SELECT r.key, r.ns, r.time, r.kind, r.seen, r.accessor, m.now || substr(r.path, length(r.mount) + 1) AS object,
  (SELECT max(u.ns) FROM request u WHERE u.kind = 'admin' AND u.outcome = 5 AND u.operation = 'delete' AND u.path LIKE 'sys/mounts/%'
    AND u.mount = m.now AND u.namespace = r.namespace AND u.ns > r.ns AND u.ns > m.since) AS gone
FROM request r JOIN (SELECT DISTINCT w.accessor, w.mount, w.namespace,
    coalesce((SELECT path FROM mount m WHERE m.accessor = w.accessor ORDER BY last DESC, path LIMIT 1), w.mount) AS now,
    coalesce((SELECT first FROM mount m WHERE m.accessor = w.accessor ORDER BY last DESC, path LIMIT 1), 0) AS since
  FROM request w WHERE w.kind IN ('write', 'delete')) m ON m.accessor = r.accessor AND m.mount = r.mount AND m.namespace = r.namespace
WHERE r.mine AND r.kind IN ('write', 'delete') AND r.outcome = 5;
CREATE INDEX object_write_object ON object_write (object, accessor, ns);

-- Configs and roles as the writes in the log left them.
CREATE VIEW objects AS
SELECT w.object AS path, w.time AS changed, s.display AS changed_by, c.identity, w.writes,
  CASE WHEN w.gone IS NOT NULL THEN 'the mount was disabled' WHEN w.kind = 'delete' THEN 'deleted' ELSE coalesce((
    SELECT group_concat(name || CASE state WHEN 'shown' THEN '=' || value ELSE ' (' || state || ')' END, ', ' ORDER BY name) FROM (
      SELECT p.name, p.state, p.value, row_number() OVER (PARTITION BY p.name ORDER BY n.ns DESC, n.key, p.state) AS age
      FROM object_write n JOIN parameter p ON p.request = n.key
      WHERE n.object = w.object AND n.accessor = w.accessor AND n.ns > coalesce((
        SELECT max(d.ns) FROM object_write d WHERE d.object = w.object AND d.accessor = w.accessor AND d.kind = 'delete'), 0)
    ) WHERE age = 1), '') END AS state
FROM (SELECT *, row_number() OVER (PARTITION BY object, accessor ORDER BY ns DESC, key) AS age, count(*) OVER (PARTITION BY object, accessor) AS writes
    FROM object_write) w JOIN seen_caller s ON s.id = w.seen JOIN caller c ON c.id = s.class
WHERE age = 1;

CREATE INDEX request_token ON request (token);
CREATE INDEX token_id ON token (token_id);
CREATE VIEW revocations AS
SELECT q.time, q.who, q.display_name, q.identity, q.name AS config, v.token_id, v.upstream, v.valid_until,
  coalesce((SELECT group_concat(who, ', ' ORDER BY who) FROM (
    SELECT DISTINCT g.display_name || CASE WHEN g.identity = '' THEN '' ELSE ' [' || g.identity || ']' END AS who
    FROM token t JOIN requests g ON g.token = t.id
    WHERE t.token_id = v.token_id AND g.kind IN ('read', 'unwrap') AND g.outcome = 'ok' AND g.wrapping NOT LIKE 'wrapped%')), '') AS receivers
FROM requests q JOIN revoked v ON v.request = q.key WHERE q.kind = 'revoke' AND q.outcome = 'ok' AND q.in_span;

CREATE VIEW tokens AS
SELECT t.token_id, t.hmac AS token_hmac, t.config, t.issued AS issued_at, t.expires AS expires_at, coalesce(g.times, 0) AS times,
  coalesce(g.callers, 0) AS callers, coalesce(g.first, '') AS first, coalesce(g.last, '') AS last, coalesce(t.revoked_at, '') AS revoked_at
FROM token t LEFT JOIN (
  SELECT token, count(*) AS times, count(DISTINCT caller) AS callers, min(time) AS first, max(time) AS last FROM requests
  WHERE kind IN ('read', 'unwrap') AND outcome = 'ok' AND wrapping NOT LIKE 'wrapped%' AND in_span AND token <> 0 GROUP BY token) g ON g.token = t.id
WHERE g.times > 0 OR t.revoked_at IS NOT NULL;

-- What must not happen. Alarms cover the whole log.
CREATE VIEW alarms AS
SELECT min(q.time) AS time, 'the log shows ' || s.name || ' in clear, in ' || count(*) || ' requests, first in ' || substr(min(q.time || q.request_id), 31)
  || ' on ' || substr(min(q.time || q.path), 31) || ': take it out of the audit_non_hmac keys of the mount, and replace the secret' AS message
FROM secret s JOIN requests q ON q.key = s.request GROUP BY s.name
UNION ALL
-- A read that began before the revocation is none. Without its request in the log, it may have begun up to five minutes earlier.
SELECT max(q.time), 'a revoked token was handed out: token ' || q.token_id || ', revoked at ' || q.revoked_at || ', was given to ' || q.who || ' [' || q.identity
  || '] through role ' || q.name || ', last at ' || max(q.time)
FROM requests q JOIN request r ON r.key = q.key JOIN token t ON t.id = q.token
WHERE q.kind = 'read' AND q.outcome = 'ok' AND t.revoked_ns IS NOT NULL
  AND (r.began > t.revoked_ns OR r.began IS NULL AND r.ns > t.revoked_ns + 300000000000)
GROUP BY q.token, q.who, q.identity, q.name;

CREATE VIEW summary AS
SELECT coalesce(min(time), '') AS first, coalesce(max(time), '') AS last, count(*) FILTER (WHERE kind <> 'unwrap' AND outcome <> 1) AS requests,
  count(*) FILTER (WHERE kind = 'read' AND outcome = 5) AS given,
  count(*) FILTER (WHERE kind = 'read' AND outcome = 5 AND made IS NOT NULL) AS wrapped,
  count(DISTINCT caller) FILTER (WHERE kind IN ('read', 'unwrap') AND outcome = 5) AS callers,
  count(DISTINCT name) FILTER (WHERE kind = 'read' AND outcome = 5) AS roles,
  count(DISTINCT token) FILTER (WHERE kind IN ('read', 'unwrap') AND outcome = 5 AND token <> 0) AS tokens,
  count(*) FILTER (WHERE outcome = 3) AS denied, count(*) FILTER (WHERE outcome = 4) AS refused,
  count(*) FILTER (WHERE outcome = 2) AS unanswered, count(*) FILTER (WHERE outcome = 1) AS forwarded,
  count(*) FILTER (WHERE kind IN ('write', 'delete', 'admin') AND outcome = 5) AS changes,
  count(*) FILTER (WHERE kind = 'rotate' AND outcome = 5) AS rotations, count(*) FILTER (WHERE kind = 'revoke' AND outcome = 5) AS revocations
FROM request WHERE mine AND in_span;
