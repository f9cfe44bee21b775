-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- Questions to the database of mastersindia-audit -db=audit.db: sqlite3 -box audit.db < audit-queries.sql
-- This needs sqlite3 3.44 or later: an older one says "malformed database schema".

-- Who was given a token in an hour, and from where?
SELECT time, who, remote_address, name FROM requests
WHERE kind IN ('read', 'unwrap') AND outcome = 'ok' AND token NOT LIKE '(wrapped%' AND time BETWEEN '2026-03-01T08' AND '2026-03-01T09' ORDER BY time;

-- Which addresses did a caller use?
SELECT DISTINCT identity, remote_address FROM requests ORDER BY 1, 2;

-- Which addresses have several callers?
SELECT remote_address, count(DISTINCT identity) AS callers FROM requests GROUP BY 1 HAVING callers > 1 ORDER BY 1;

-- Who was denied, and given a token later?
SELECT DISTINCT r.who
FROM requests d JOIN requests r USING (identity)
WHERE d.outcome = 'denied' AND r.kind IN ('read', 'unwrap') AND r.outcome = 'ok' AND r.token NOT LIKE '(wrapped%' AND r.time > d.time ORDER BY 1;

-- Who was given a token at night (UTC)?
SELECT time, who, name FROM requests
WHERE kind IN ('read', 'unwrap') AND outcome = 'ok' AND token NOT LIKE '(wrapped%' AND substr(time, 12, 2) NOT BETWEEN '06' AND '20' ORDER BY time;

-- Who was given most tokens in an hour?
SELECT substr(time, 1, 13) AS hour, who, count(*) FROM requests
WHERE kind IN ('read', 'unwrap') AND outcome = 'ok' AND token NOT LIKE '(wrapped%' GROUP BY 1, 2 ORDER BY 3 DESC;

-- What did a caller do in the ten minutes around a change of their own?
SELECT b.time, b.path FROM requests a JOIN requests b USING (identity)
WHERE a.key IN (SELECT key FROM request WHERE change AND outcome IN (2, 5)) AND abs(b.ns - a.ns) < 600000000000 ORDER BY b.time;

-- Who unwrapped what was asked for under another name?
SELECT time, asked_by, who, name FROM requests
WHERE kind = 'unwrap' AND outcome = 'ok' AND asked_by <> who ORDER BY time;

-- Which tokens were given after their revocation? A read that began up to five minutes before its response may be in time.
SELECT q.token_id, q.time, q.who
FROM requests q JOIN request r USING (key) JOIN token t ON t.id = r.token LEFT JOIN request asked ON asked.key = r.origin
WHERE q.kind IN ('read', 'unwrap') AND q.outcome = 'ok' AND coalesce(asked.began, asked.ns - 300000000000, r.began, r.ns - 300000000000) > t.revoked_ns ORDER BY q.time;

-- Where did a config or role point over time?
SELECT r.time, r.outcome, r.who, r.path, p.name, p.value FROM requests r JOIN parameter p ON p.request = r.key
WHERE r.kind = 'write' AND r.outcome IN ('ok', 'not known') ORDER BY 4, 1;
