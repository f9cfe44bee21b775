-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- Who was given the leaked token: without one, nothing is in these tables. sought is the token.
CREATE TABLE sought AS SELECT * FROM token WHERE id IN (
  SELECT coalesce(class, s.id) FROM seen_token s LEFT JOIN class USING (id) JOIN setting ON leaked = token_id WHERE leaked <> '');
-- What a read says of it: yes, or possible and why. Reads that certainly gave another token are not in it.
CREATE TABLE leak (request INTEGER PRIMARY KEY, verdict TEXT, why TEXT);
INSERT INTO leak SELECT key, 'yes', '' FROM sought CROSS JOIN request r WHERE kind IN ('read', 'unwrap') AND (outcome = 5 AND token = sought.id AND opened_by IS NULL
  OR EXISTS (SELECT 1 FROM unwrapped u JOIN hmac h USING (value) WHERE u.request = r.key AND h.kind = 'leaked'));
INSERT OR IGNORE INTO leak SELECT request, 'possible', why FROM unjudged, sought;
-- Outside of the token's life nobody is given it, unless the upstream gave it another one: five minutes are for slow requests and for clocks
-- that differ.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (SELECT 1 FROM request r, sought t WHERE r.key = leak.request
  AND (julianday(r.time) < julianday(t.issued) - 300 / 86400.0 OR r.kind = 'read' AND lives = 1 AND julianday(r.time) > julianday(t.expires) + 300 / 86400.0));
-- Where roles of such reads pointed: by writes of the role, '' where the config is hidden or the role was deleted, and by what reads gave.
CREATE TABLE pointed AS SELECT r.accessor || ' ' || r.mount || ' ' || r.name AS role, r.ns,
  CASE r.kind WHEN 'read' THEN t.config ELSE coalesce((SELECT max(value) FROM parameter p WHERE p.request = r.key AND p.name = 'config'), '') END AS config
FROM request r LEFT JOIN token t ON t.id = r.token WHERE r.name IN (SELECT name FROM request JOIN leak ON leak.request = key WHERE verdict = 'possible')
  AND (r.kind = 'read' AND r.outcome = 5 AND t.configs = 1 OR r.kind IN ('write', 'delete') AND r.path LIKE '%/role/' || r.name AND r.outcome NOT IN (3, 4));
CREATE INDEX pointed_role ON pointed (role, ns);
-- A role that pointed to another config before and after a read, and in between to none but such, did not give this token, unless it
-- was given on another mount.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (SELECT 1
  FROM (SELECT *, accessor || ' ' || mount || ' ' || name AS role FROM request WHERE key = leak.request AND kind = 'read') r, sought t WHERE configs = 1
  AND NOT EXISTS (SELECT 1 FROM leak l JOIN request y ON y.key = l.request WHERE l.verdict = 'yes' AND y.accessor || y.mount <> r.accessor || r.mount)
  AND (SELECT p.config FROM pointed p WHERE p.role = r.role AND p.ns < r.ns - 300000000000 ORDER BY p.ns DESC LIMIT 1) NOT IN ('', t.config)
  AND (SELECT p.config FROM pointed p WHERE p.role = r.role AND p.ns > r.ns + 300000000000 ORDER BY p.ns LIMIT 1) NOT IN ('', t.config)
  AND NOT EXISTS (SELECT 1 FROM pointed p WHERE p.role = r.role AND p.config IN ('', t.config)
    AND p.ns BETWEEN r.ns - 300000000000 AND r.ns + 300000000000));
