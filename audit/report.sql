-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- What the report is made of. Times are RFC 3339 in UTC.
-- One row for each request about the mount, or that may have given the leaked token.
CREATE VIEW requests AS SELECT r.time, r.kind, CASE r.outcome WHEN 1 THEN 'forwarded' WHEN 2 THEN iif(r.change, 'not known', 'unanswered') WHEN 3 THEN 'denied' WHEN 4 THEN 'refused' ELSE 'ok' END AS outcome,
  s.display AS who, c.identity, s.policies, r.remote AS remote_address, r.operation, r.namespace, r.mount, r.path, r.name, CASE WHEN r.kind IN ('read', 'unwrap') AND r.outcome < 3 THEN '(' || CASE r.outcome WHEN 1 THEN 'forwarded' ELSE 'unanswered' END || ')'
    WHEN r.kind = 'read' AND r.wrapping IS NOT NULL THEN CASE WHEN r.opened_by IS NULL THEN '(wrapped)' ELSE '(wrapped, see unwrapped)' END ELSE coalesce(nullif(t.token_id, ''), t.hmac, '') || CASE r.kind WHEN 'unwrap' THEN ' (unwrapped)' ELSE '' END
      || CASE WHEN t.revoked_at IS NULL THEN '' ELSE ' revoked' END END AS token, coalesce(t.token_id, '') AS token_id, coalesce(t.hmac, '') AS token_hmac, coalesce(t.config, '') AS config, r.lease AS lease_id,
  coalesce(a.display, '') AS asked_by, CASE WHEN r.outcome IN (2, 3, 4) THEN r.reason ELSE '' END AS error, coalesce((SELECT group_concat(p.text, ', ' ORDER BY p.name) FROM parameter p WHERE p.request = r.key), '') AS written,
  coalesce(t.revoked_at, '') AS revoked_at, r.id AS request_id, r.key, r.ns, r.token AS token_key, r.opened_by, r.in_span
FROM request r JOIN seen_caller s ON s.id = r.seen JOIN caller c ON c.id = r.caller LEFT JOIN token t ON t.id = r.token LEFT JOIN request o ON o.key = r.origin LEFT JOIN seen_caller a ON a.id = o.seen WHERE r.mine OR r.key IN (SELECT request FROM leak);
-- Reads that gave a token, or may have, by caller, role and token: in the span and, with a verdict and why, those of the leaked token in the whole log.
CREATE TABLE readings AS SELECT who, identity, substr(max(time || policies), 31) AS policies, kind, mount, name AS role, token, token_id, token_hmac, config, count(*) AS times,
  min(time) AS first, max(time) AS last, CASE WHEN count(DISTINCT remote_address) < 9 THEN replace(group_concat(DISTINCT remote_address ORDER BY remote_address), ',', ' ') ELSE min(remote_address) || ' and ' || (count(DISTINCT remote_address) - 1) || ' more' END AS remote_addresses,
  substr(max(time || lease_id), 31) AS last_lease, asked_by, revoked_at, verdict, why FROM (
  SELECT *, NULL AS verdict, NULL AS why FROM requests WHERE kind IN ('read', 'unwrap') AND in_span AND outcome IN ('ok', 'unanswered') UNION ALL SELECT r.*, verdict, why FROM requests r JOIN leak l ON l.request = r.key) GROUP BY who, identity, kind, mount, name, token, token_key, asked_by, verdict, why;
CREATE VIEW refusals AS SELECT outcome, who, identity, path, error, count(*) AS times, min(time) AS first, max(time) AS last,
  replace(group_concat(DISTINCT remote_address ORDER BY remote_address), ',', ' ') AS remote_addresses FROM requests WHERE outcome IN ('denied', 'refused') AND in_span GROUP BY outcome, who, identity, path, error;
-- Configs and roles as the writes in the log left them, at the path that their mount has now. gone is when that mount was disabled.
CREATE INDEX request_admin ON request (mount, ns) WHERE kind = 'admin';
CREATE TABLE object_write AS SELECT r.key, r.ns, r.time, r.kind, r.outcome, r.seen, r.accessor, coalesce(m.path, r.mount) || substr(r.path, length(r.mount) + instr(r.path, r.mount)) AS object,
  (SELECT max(u.ns) FROM request u WHERE u.kind = 'admin' AND u.outcome = 5 AND u.operation = 'delete' AND u.path LIKE '%sys/mounts/%' AND u.mount = coalesce(m.path, r.mount) AND u.namespace = r.namespace AND u.ns > r.ns AND u.ns > coalesce(m.first, 0)) AS gone,
  EXISTS (SELECT 1 FROM mount n WHERE n.path = m.path AND n.namespace = m.namespace AND n.first > m.last) AS followed
FROM request r LEFT JOIN mount m ON m.accessor = r.accessor AND m.age = 1 WHERE r.mine AND r.kind IN ('write', 'delete') AND r.outcome IN (2, 5);
CREATE INDEX object_write_object ON object_write (object, accessor, ns);
CREATE VIEW objects AS SELECT w.object AS path, w.time AS changed, s.display AS changed_by, c.identity, w.writes, CASE WHEN w.gone IS NOT NULL THEN 'the mount was disabled' WHEN w.followed THEN 'another mount is at this path now' WHEN w.kind = 'delete' THEN 'deleted' ELSE coalesce((
    SELECT group_concat(text, ', ' ORDER BY name) FROM (SELECT p.name, p.text || iif(n.outcome = 2, ' (not known)', '') AS text, row_number() OVER (PARTITION BY p.name ORDER BY n.ns DESC, n.key, p.state) AS age,
        n.ns < max(iif(p.name = 'preset' AND p.text <> 'preset=' AND n.outcome = 5, n.ns, 0)) OVER () AND p.name IN ('protocol', 'token_url', 'refresh_url', 'request_format', 'headers', 'refresh_headers', 'authorization_scheme') AS replaced
      FROM object_write n JOIN parameter p ON p.request = n.key WHERE n.object = w.object AND n.accessor = w.accessor AND n.ns > coalesce((SELECT max(d.ns) FROM object_write d WHERE d.object = w.object AND d.accessor = w.accessor AND d.kind = 'delete' AND d.outcome = 5), 0)
    ) WHERE age = 1 AND NOT replaced), '') END || iif(w.kind = 'delete' AND w.outcome = 2, ' (not known)', '') AS state
FROM (SELECT *, row_number() OVER (PARTITION BY object, accessor ORDER BY ns DESC, key) AS age, count(*) OVER (PARTITION BY object, accessor) AS writes
    FROM object_write) w JOIN seen_caller s ON s.id = w.seen JOIN request r ON r.key = w.key JOIN caller c ON c.id = r.caller WHERE age = 1;
CREATE TABLE unjudged_before AS SELECT ns, row_number() OVER (ORDER BY ns) AS n FROM (SELECT CASE WHEN r.kind = 'read' THEN coalesce(r.began, r.ns - 300000000000)
  ELSE coalesce(o.began, o.ns - 300000000000, 0) END AS ns FROM (SELECT request FROM unjudged UNION SELECT request FROM given JOIN token t ON t.id = given.token WHERE t.token_id = '' AND t.id NOT IN (SELECT coalesce(class, s.id) FROM seen_token s LEFT JOIN class USING (id) WHERE hidden_id <> '')) u JOIN request r ON r.key = u.request LEFT JOIN request o ON o.key = r.origin); -- as in alarms
CREATE INDEX unjudged_before_ns ON unjudged_before (ns, n); CREATE TABLE log AS SELECT strftime('%Y-%m-%dT%H:%M:%SZ', min(min(coalesce(began, ns)), (SELECT coalesce(min(ns), 9e18) FROM moment)) / 1000000000, 'unixepoch') AS first, substr(max(time), 1, 19) || 'Z' AS last FROM request;
-- Revoked tokens that somebody named or wrapped who is not known to have been given them, or who wrapped them for somebody not known.
CREATE TABLE passed_on AS SELECT t.token_id, count(DISTINCT o.key) AS n
FROM (SELECT id, value, 1 AS whole FROM hidden_token UNION SELECT coalesce(class, id), hidden_id, 0 FROM seen_token LEFT JOIN class USING (id) UNION SELECT id, token_id, 0 FROM token) v
JOIN token t USING (id) JOIN named USING (value) JOIN request o ON o.key = named.request
WHERE t.revoked_ns IS NOT NULL AND (o.kind = 'wrap' AND whole AND NOT EXISTS (SELECT 1 FROM request u WHERE u.wrapping = o.wrapping AND u.kind = 'unwrap' AND u.key IN (SELECT request FROM given WHERE token = t.id))
  OR (o.kind = 'read' OR o.kind = 'wrap' AND whole) AND o.caller NOT IN (SELECT caller FROM given g JOIN request ON key = g.request WHERE g.token = t.id)) GROUP BY 1;
CREATE VIEW revocations AS SELECT q.time, q.who, q.identity, q.name AS config, v.token_id, v.upstream, v.valid_until,
  coalesce(iif(v.token_id IN (SELECT token_id FROM token WHERE token_id <> ''), nullif(concat_ws('; ', (SELECT group_concat(who, ', ' ORDER BY who) FROM (
    SELECT DISTINCT s.display || CASE WHEN c.identity = '' THEN '' ELSE ' [' || c.identity || ']' END AS who FROM token t JOIN given ON given.token = t.id JOIN request g ON g.key = given.request JOIN seen_caller s ON s.id = g.seen JOIN caller c ON c.id = g.caller
    WHERE t.token_id = v.token_id AND t.token_id <> '')),
    (SELECT 'not known for ' || n || ' reads' FROM unjudged_before u WHERE u.ns < q.ns ORDER BY u.ns DESC, n DESC LIMIT 1),
    (SELECT 'not known for ' || n || ' requests that name or wrap it' FROM passed_on p WHERE p.token_id = v.token_id),
    (SELECT 'not known before ' || first FROM log, token t WHERE t.token_id = v.token_id AND t.token_id <> '' AND unixepoch(first) > coalesce(unixepoch(t.issued), 0)), (SELECT 'not known before ' || replace(max(l.first), ' ', 'T') || 'Z' FROM late l, token t WHERE t.token_id = v.token_id AND t.token_id <> '' AND l.since = unixepoch(t.issued) HAVING count(*) > 0)), ''), NULL),
    'not known') AS receivers
FROM requests q JOIN (SELECT * FROM revoked UNION ALL SELECT key, coalesce((SELECT lower(trim(value, ' "''' || char(9, 10, 13))) FROM parameter p WHERE p.request = key
  AND p.name = 'token_id' AND p.state = 'shown'), ''), 'not known', '' FROM request WHERE kind = 'revoke' AND outcome = 2) v ON v.request = q.key
WHERE q.kind = 'revoke' AND q.outcome IN ('ok', 'not known') AND q.in_span;
CREATE VIEW tokens AS SELECT coalesce(nullif(t.token_id, ''), t.hmac) AS token, t.token_id, t.hmac AS token_hmac, t.config, t.issued AS issued_at, t.expires AS expires_at,
  coalesce(g.times, 0) AS times, coalesce(g.callers, 0) AS callers, coalesce(g.first, '') AS first, coalesce(g.last, '') AS last, coalesce(t.revoked_at, '') AS revoked_at
FROM token t LEFT JOIN (SELECT given.token, count(*) AS times, count(DISTINCT caller) AS callers, min(time) AS first, max(time) AS last FROM given
  JOIN request ON key = given.request WHERE mine AND in_span GROUP BY 1) g ON g.token = t.id WHERE g.times > 0 OR t.revoked_at IS NOT NULL;
-- What must not happen. Alarms cover the whole log.
CREATE VIEW alarms AS SELECT min(q.time) AS time, 'the log shows ' || s.name || ' in clear, in ' || count(*) || ' requests, first in ' || substr(min(q.time || q.id), 31)
  || ' on ' || substr(min(q.time || q.path), 31) || CASE WHEN max(s.request IN (SELECT request FROM secret WHERE name = 'client_token')) THEN ': the audit device has log_raw=true, enable it without'
    WHEN s.name LIKE '%(in the address of the request)' OR s.name = 'a token in a path' THEN ': vault read puts parameters there, use vault write' WHEN s.name = 'a token as a name' THEN ': Vault hashes values only' WHEN s.name = 'a token in an error' THEN ': Vault hashes no errors' WHEN s.name LIKE '%token_id' THEN ': a token was given in place of its ID'
    ELSE ': take it out of the audit_non_hmac keys of the mount' END || ', and replace the secret' AS message
FROM secret s JOIN request q ON q.key = s.request WHERE q.mine OR q.key IN (SELECT request FROM leak UNION SELECT request FROM named WHERE value = 'leaked') GROUP BY s.name UNION ALL
-- A read that began before the revocation is none. Without its request in the log, it may have begun up to five minutes earlier; a wrapped one at any time.
SELECT max(r.time), 'a revoked token was handed out: token ' || t.token_id || ', revoked at ' || t.revoked_at || ', was given to ' || s.display || ' [' || c.identity
  || '] through role ' || r.name || ', last at ' || max(r.time)
FROM request r JOIN token t ON t.id = r.token JOIN seen_caller s ON s.id = r.seen JOIN caller c ON c.id = r.caller LEFT JOIN request o ON o.key = r.origin
WHERE (r.kind = 'read' AND r.opened_by IS NULL OR r.kind = 'unwrap' AND o.kind = 'read') AND r.outcome = 5 AND r.mine AND t.revoked_ns IS NOT NULL
  AND coalesce(o.began, o.ns - 300000000000, r.began, r.ns - 300000000000) > t.revoked_ns GROUP BY t.token_id, s.display, c.identity, r.name;
CREATE VIEW summary AS SELECT count(*) FILTER (WHERE kind = 'read' AND outcome = 5) AS given, count(*) FILTER (WHERE kind = 'read' AND outcome = 5 AND wrapping IS NOT NULL) AS wrapped,
  count(DISTINCT caller) FILTER (WHERE kind IN ('read', 'unwrap') AND outcome = 5 AND opened_by IS NULL) AS callers, count(DISTINCT name) FILTER (WHERE kind = 'read' AND outcome = 5) AS roles, count(DISTINCT token) FILTER (WHERE kind IN ('read', 'unwrap') AND outcome = 5 AND token <> 0) AS tokens,
  count(*) FILTER (WHERE outcome = 3) AS denied, count(*) FILTER (WHERE outcome = 4) AS refused, count(*) FILTER (WHERE outcome = 2 AND NOT change) AS unanswered, count(*) FILTER (WHERE outcome = 1) AS forwarded,
  count(*) FILTER (WHERE kind IN ('write', 'delete', 'admin') AND outcome = 5) AS changes, count(*) FILTER (WHERE kind = 'rotate' AND outcome = 5) AS rotations, count(*) FILTER (WHERE kind = 'revoke' AND outcome = 5) AS revocations,
  count(*) FILTER (WHERE kind NOT IN ('unwrap', 'rewrap') AND outcome <> 1) AS requests, coalesce(min(time), '') AS first, coalesce(max(time), '') AS last FROM request WHERE mine AND in_span;
CREATE VIEW histogram AS WITH span AS (SELECT (max(ns) - min(ns)) / 600000000000 + 1 AS step FROM request WHERE mine AND in_span) -- 600 steps at most
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ns / 1000000000 / step * step, 'unixepoch') AS start, step AS step_seconds,
  count(*) FILTER (WHERE outcome = 5 AND kind IN ('read', 'unwrap')) AS given, count(*) FILTER (WHERE outcome <> 5) AS denied,
  count(*) FILTER (WHERE outcome = 5 AND change) AS change, count(*) FILTER (WHERE outcome = 5 AND kind IN ('view', 'rewrap')) AS other FROM request, span WHERE mine AND in_span GROUP BY ns / 1000000000 / step;
CREATE TABLE newest AS SELECT key FROM (SELECT key, row_number() OVER (PARTITION BY outcome = 5 AND kind IN ('read', 'unwrap', 'view', 'rewrap') ORDER BY ns DESC, id) AS n FROM request WHERE mine AND in_span) WHERE n <= 5000; -- reads, and all else: the page and JSON list these
CREATE VIEW sought_since AS SELECT issued, CASE WHEN issued = '' THEN leaked_iat - 86400 -- in whatever zone
  WHEN leaked_iat > 0 THEN min(unixepoch(issued), leaked_iat) ELSE unixepoch(issued) END AS since FROM sought, setting;
-- Nodes whose files begin after the issue, beside files from before. Series that share a request are devices of one node, or copies. Where standbys log nothing, a node that takes over goes on, within minutes, where another one stops, which logs nothing until it takes over again. Of any other, earlier files may be missing.
CREATE TABLE asked AS SELECT max(since, 0) AS since, max(since, 0) * 1000000000 AS ns FROM sought_since UNION SELECT unixepoch(issued), unixepoch(issued) * 1000000000 FROM token WHERE revoked_ns IS NOT NULL AND issued <> ''; CREATE TABLE logged AS SELECT request, series, max(began, ended) AS at FROM line JOIN source USING (file) WHERE EXISTS (SELECT 1 FROM asked) AND (SELECT count(DISTINCT series) FROM moment) > 1; CREATE INDEX logged_request ON logged (request, series); CREATE INDEX logged_at ON logged (at, series);
CREATE TABLE same_node AS SELECT DISTINCT a.series AS one, b.series AS series FROM logged a JOIN logged b USING (request) UNION SELECT series, series FROM moment; CREATE INDEX same_node_one ON same_node (one, series);
CREATE TABLE node AS WITH span AS MATERIALIZED (SELECT series, min(ns) AS first, max(ns) AS last FROM moment GROUP BY 1) SELECT one AS series, min(first) AS first, max(iif(series = one, last, 0)) AS last FROM same_node JOIN span USING (series) GROUP BY 1; CREATE INDEX node_first ON node (first, last);
CREATE TABLE beside AS SELECT series FROM node n WHERE first > (SELECT min(ns) FROM asked) AND (EXISTS (SELECT 1 FROM moment o WHERE o.ns > n.first + 60000000000 AND o.ns < n.last AND (n.series, o.series) NOT IN same_node) OR n.last <= n.first + 600000000000 AND EXISTS (SELECT 1 FROM node o WHERE o.first <= n.first AND o.last > max(n.first + 60000000000, n.last) AND (n.series, o.series) NOT IN same_node));
CREATE TABLE late AS SELECT DISTINCT since, datetime(first / 1000000000, 'unixepoch') AS first FROM node n, asked WHERE first > asked.ns AND (SELECT min(ns) FROM moment) <= asked.ns
  AND (NOT EXISTS (SELECT 1 FROM logged o WHERE o.at BETWEEN max(asked.ns, n.first - 600000000000) AND n.first AND (n.series, o.series) NOT IN same_node) AND NOT EXISTS (SELECT 1 FROM moment o WHERE o.ns BETWEEN max(asked.ns, n.first - 600000000000) AND n.first AND (n.series, o.series) NOT IN same_node) OR series IN beside);
CREATE TABLE pause AS SELECT * FROM (SELECT ns, ns - lag(ns) OVER (ORDER BY ns) AS pause FROM moment) WHERE pause > 60000000000; -- in which no series has a line
-- What the log does not tell (1), or what is easily overlooked (0).
INSERT OR REPLACE INTO note SELECT more || ' requests are not listed one by one: list fewer with -since and -until, or all with -format=csv. All are counted.', 0 FROM (SELECT count(*) - (SELECT count(*) FROM newest) AS more FROM request WHERE mine AND in_span) WHERE more > 0
UNION ALL SELECT 'The log has nothing about the mount ' || mount || ': vault secrets list shows the paths, give one with -mount.', 1 FROM setting WHERE NOT EXISTS (SELECT 1 FROM request WHERE mine AND kind NOT IN ('admin', 'unwrap', 'rewrap'))
UNION ALL SELECT 'Mounts of this path in ' || count(DISTINCT m.namespace) || ' namespaces are reported together: choose one with -namespace.', 0 FROM mount m JOIN setting p ON m.path = p.mount WHERE p.namespace = '*' AND m.age = 1 HAVING count(DISTINCT m.namespace) > 1
UNION ALL SELECT count(*) || ' requests were forwarded to the active node, and the log of that node does not have them with the same remote_port: give the files of all nodes.', 1 FROM request WHERE mine AND outcome = 1 AND NOT followed HAVING count(*) > 0
UNION ALL SELECT 'The mount was moved: requests came to ' || m.namespace || m.path || ' until ' || datetime(m.last / 1000000000, 'unixepoch') || ', and to ' || n.namespace || n.path || ' from ' || datetime(n.first / 1000000000, 'unixepoch') || ' until ' || datetime(n.last / 1000000000, 'unixepoch') || ' (UTC).', 0
FROM mount m JOIN mount n USING (accessor) WHERE (m.namespace, m.path) <> (n.namespace, n.path) AND m.first < n.first AND accessor IN (SELECT accessor FROM request WHERE mine)
UNION ALL SELECT 'The plugin is registered under a name by which its other mounts, and other paths of this one, cannot be followed: make a report with -mount of each.', 1
FROM setting WHERE EXISTS (SELECT 1 FROM request WHERE (mine OR kind = 'read') AND accessor NOT GLOB '*mastersindia*' AND kind NOT IN ('admin', 'unwrap', 'rewrap') AND outcome = 5) AND (leaked <> '' OR EXISTS (SELECT 1 FROM request WHERE kind = 'admin' AND path LIKE '%sys/remount' AND outcome = 5))
UNION ALL SELECT count(*) || CASE count(*) FILTER (WHERE kind = 'read') WHEN count(*) THEN ' reads' ELSE ' requests' END
  || ' have a response and no request in the log: a file before may be missing.', coalesce(max(ns) >= (SELECT since FROM sought_since) * 1000000000, 0)
FROM request WHERE began IS NULL AND outcome <> 1 AND (mine OR (kind IN ('unwrap', 'rewrap') OR accessor GLOB '*mastersindia*') AND EXISTS (SELECT 1 FROM sought)) HAVING count(*) > 0
UNION ALL SELECT 'Listed is what happened ' || concat_ws(' and ', CASE WHEN since > 0 THEN 'from ' || datetime(since / 1000000000, 'unixepoch') END,
  CASE WHEN until < 9e18 THEN 'before ' || datetime(until / 1000000000, 'unixepoch') END) || ' (UTC). The log tells of the mount from ' || datetime(min(ns) / 1000000000, 'unixepoch')
  || ' to ' || datetime(max(ns) / 1000000000, 'unixepoch') || CASE WHEN min(ns) > since AND since > 0 THEN ': the files from before may be missing.' ELSE '.' END,
  EXISTS (SELECT 1 FROM sought) AND (max(ns) < since OR min(ns) >= until) FROM request, setting WHERE mine AND (since > 0 OR until < 9e18) HAVING count(*) > 0
UNION ALL SELECT count(*) || ' reads may have given the leaked token, and the log does not tell: they are listed as possible, with the reason.', 1 FROM leak WHERE verdict = 'possible' HAVING count(*) > 0
UNION ALL SELECT 'No read in the log is known to have given the leaked token, so that this clears nobody: it was given in files that are not here, through another mount, or not by this Vault, or this is not the whole token, or it is encoded (token_id ' || leaked || ').', 1 FROM setting WHERE leaked <> '' AND NOT EXISTS (SELECT 1 FROM leak WHERE verdict = 'yes')
UNION ALL SELECT 'Lines lack' || group_concat(DISTINCT missing) || ', which Vault writes: an audit device leaves them out (its option exclude). Requests, their outcomes and readers of a token may be missing here: give the log of a device that has all.', 1 FROM request WHERE missing <> '' HAVING count(*) > 0
UNION ALL SELECT 'The outcome of ' || count(*) || ' changes or revocations is not known: they may have been made, and are listed with that outcome.', 1 FROM request WHERE outcome = 2 AND mine AND change AND in_span HAVING count(*) > 0
-- The response is in the logs of the devices that are left, if there are any.
UNION ALL SELECT CASE operation WHEN 'delete' THEN 'An audit device was disabled at ' || min(time) || ', and no file here has the response: what happened until one was enabled again'
  ELSE 'An audit device was enabled with a filter at ' || min(time) || ': what it left out' END || ' is not known.', 1 FROM request r LEFT JOIN parameter p ON p.request = r.key AND p.name = 'filter' WHERE path LIKE 'sys/audit/%' AND (operation = 'delete' AND outcome = 2 OR p.name <> '' AND outcome IN (2, 5)) GROUP BY operation = 'delete'
UNION ALL SELECT CASE issued WHEN '' THEN 'When the leaked token was issued is not known (no line shows its issued_at, or its upstream repeats tokens)'
    ELSE 'The leaked token was issued at ' || datetime(since, 'unixepoch') END || ', and the log begins at ' || first
  || ': who was given it before is not known, give older files.', 1 FROM log, sought_since WHERE unixepoch(first) > since
UNION ALL SELECT 'A node''s files begin at ' || min(first) || ', neither before the leaked token was issued nor where those of another node end: who was given it before is not known, give older files, if there are any.', 1 FROM late, sought_since s WHERE late.since = max(s.since, 0) HAVING count(*) > 0
UNION ALL SELECT 'A file between ' || min(file) FILTER (WHERE missing) || ' and the next is not given, and may be missing: others follow each other by ' || usual || ' hours.', 1
FROM (SELECT *, min(gap) OVER (PARTITION BY series) AS usual, gap > min(gap) OVER (PARTITION BY series) AND (hour + gap) * 3600 > (SELECT min(since) FROM asked) AS missing FROM (SELECT file, series, hour, lead(hour) OVER (PARTITION BY series ORDER BY hour) - hour AS gap FROM (SELECT min(file) AS file, series, unixepoch(substr(dated, 1, 4) || '-' || substr(dated, 5, 2) || '-' || substr(dated, 7, 2) || ' ' || coalesce(nullif(substr(dated, 9, 2), ''), '00') || ':00') / 3600 AS hour FROM source WHERE dated <> '' GROUP BY 2, 3)) WHERE gap > 0)
GROUP BY series HAVING count(*) FILTER (WHERE gap = usual) > max(1, count(*) / 2) AND max(missing)
UNION ALL SELECT 'Nothing at all was logged from ' || datetime((ns - pause) / 1000000000, 'unixepoch') || ' to ' || datetime(ns / 1000000000, 'unixepoch') || ', and pauses are rarely as long: Vault was down, nobody asked it, or a file is missing.', 1
FROM (SELECT * FROM pause ORDER BY pause DESC LIMIT 3) p WHERE pause > 600000000000 AND ns > (SELECT min(ns) + 60000000000 FROM asked) AND (SELECT count(*) FROM moment) > 30 AND (SELECT count(*) FROM pause q WHERE q.pause > p.pause / 6) < 4 AND NOT EXISTS (SELECT 1 FROM pause q WHERE q.pause > p.pause / 2 AND abs(abs(q.ns - p.ns) - 86400000000000) < 7200000000000) -- unless it comes every night
UNION ALL SELECT 'The leaked token was searched from ' || first || ' to ' || last || ': that is the time of the lines that were read.', 0 FROM log, sought WHERE first <> '';
