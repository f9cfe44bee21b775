-- Copyright (c) The vault-plugin-secrets-mastersindia authors
-- SPDX-License-Identifier: MPL-2.0

-- Who was given the leaked token: without one, nothing is in these tables. sought is the token.
CREATE TABLE sought AS SELECT * FROM token WHERE id IN (
  SELECT coalesce(class, s.id) FROM seen_token s LEFT JOIN class USING (id) JOIN setting ON leaked = token_id WHERE leaked <> '');
-- What a read says of it: yes, or possible and why. Reads that certainly gave another token are not in it.
CREATE TABLE leak (request INTEGER PRIMARY KEY, verdict TEXT, why TEXT);
INSERT INTO leak SELECT key, 'yes', '' FROM sought CROSS JOIN request r WHERE kind IN ('read', 'unwrap') AND (outcome = 5 AND token = sought.id AND opened_by IS NULL
  OR EXISTS (SELECT 1 FROM unwrapped u JOIN hmac h USING (value) WHERE u.request = r.key AND h.kind = 'leaked'));
INSERT OR IGNORE INTO leak SELECT key, 'possible', CASE
    WHEN outcome = 2 THEN 'its response is not in the log'
    WHEN outcome = 1 THEN 'forwarded to the active node, whose log does not have it'
    WHEN kind = 'read' AND wrapping IS NOT NULL THEN 'wrapped, and not unwrapped in the log'
    WHEN path LIKE '%cubbyhole/response' THEN 'unwrapped as one text, of which the log has one HMAC'
    WHEN seen_token = 0 THEN 'its response shows no token'
    WHEN NOT EXISTS (SELECT 1 FROM hmac) THEN 'the log has HMACs only, and Vault was not asked for that of the token'
    ELSE 'its HMACs are of another audit device, or of one before it was enabled anew'
  END || CASE WHEN kind = 'unwrap' AND origin IS NULL THEN '; the wrapped read is not in the log' ELSE '' END
FROM sought CROSS JOIN request r
WHERE kind IN ('read', 'unwrap') AND outcome NOT IN (3, 4) AND NOT followed AND opened_by IS NULL
  AND NOT (outcome = 5 AND coalesce((SELECT known FROM token WHERE id = r.token), 0))
  -- What is unwrapped is judged where it is of this engine, or may be: it shows a token, or nothing of what was wrapped.
  AND (kind = 'read' OR seen_token <> 0 OR (SELECT kind FROM request o WHERE o.key = r.origin) = 'read'
    OR origin IS NULL AND (path LIKE '%cubbyhole/response' OR outcome = 2));
-- Outside of the token's life nobody is given it: five minutes are for slow requests and for clocks that differ.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (SELECT 1 FROM request r, sought t WHERE r.key = leak.request
  AND (julianday(r.time) < julianday(t.issued) - 300 / 86400.0 OR r.kind = 'read' AND julianday(r.time) > julianday(t.expires) + 300 / 86400.0));
-- Where roles of such reads pointed: by writes of the role, '' where the config is hidden or the role was deleted, and by what reads gave.
CREATE TABLE pointed AS SELECT r.accessor || ' ' || r.mount || ' ' || r.name AS role, r.ns,
  CASE r.kind WHEN 'read' THEN t.config ELSE coalesce((SELECT max(value) FROM parameter p WHERE p.request = r.key AND p.name = 'config'), '') END AS config
FROM request r LEFT JOIN token t ON t.id = r.token WHERE r.name IN (SELECT name FROM request JOIN leak ON leak.request = key WHERE verdict = 'possible')
  AND (r.kind = 'read' AND r.outcome = 5 AND t.configs = 1 OR r.kind IN ('write', 'delete') AND r.path LIKE '%/role/' || r.name AND r.outcome NOT IN (3, 4));
CREATE INDEX pointed_role ON pointed (role, ns);
-- A role that pointed to another config before and after a read, and in between to none but such, did not give this token.
DELETE FROM leak WHERE verdict = 'possible' AND EXISTS (SELECT 1
  FROM (SELECT *, accessor || ' ' || mount || ' ' || name AS role FROM request WHERE key = leak.request AND kind = 'read') r, sought t WHERE configs = 1
  AND (SELECT p.config FROM pointed p WHERE p.role = r.role AND p.ns < r.ns - 300000000000 ORDER BY p.ns DESC LIMIT 1) NOT IN ('', t.config)
  AND (SELECT p.config FROM pointed p WHERE p.role = r.role AND p.ns > r.ns + 300000000000 ORDER BY p.ns LIMIT 1) NOT IN ('', t.config)
  AND NOT EXISTS (SELECT 1 FROM pointed p WHERE p.role = r.role AND p.config IN ('', t.config)
    AND p.ns BETWEEN r.ns - 300000000000 AND r.ns + 300000000000));
