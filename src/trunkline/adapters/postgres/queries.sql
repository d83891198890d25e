-- Every statement of the call log. `:name` is a parameter; lists come as arrays, one value a row.

-- name: insert_facts(call_sids, seqs, epochs, kinds, ats, payloads, salts, digests, hashes)
-- Insert what is new, in the order given; answers the keys that were new.
INSERT INTO facts (call_sid, seq, epoch, kind, at, payload, salt, digest, hash)
SELECT * FROM unnest(
    :call_sids::text[], :seqs::integer[], :epochs::bigint[], :kinds::text[],
    :ats::timestamptz[], :payloads::text[], :salts::text[], :digests::text[], :hashes::text[]
) AS given
ON CONFLICT DO NOTHING
RETURNING call_sid, seq, hash;

-- name: held_hashes(call_sids, seqs)
-- The hash of each fact that has one of these keys.
SELECT facts.call_sid, facts.seq, facts.hash
FROM unnest(:call_sids::text[], :seqs::integer[]) AS given (call_sid, seq)
JOIN facts ON facts.call_sid = given.call_sid AND facts.seq = given.seq;

-- name: insert_strays(call_sids, seqs, epochs, kinds, ats, payloads, salts, digests, hashes, whys)
-- Keep facts aside; answers the keys that were new here.
INSERT INTO stray_facts (call_sid, seq, epoch, kind, at, payload, salt, digest, hash, why)
SELECT * FROM unnest(
    :call_sids::text[], :seqs::integer[], :epochs::bigint[], :kinds::text[],
    :ats::timestamptz[], :payloads::text[], :salts::text[], :digests::text[], :hashes::text[],
    :whys::text[]
) AS given
ON CONFLICT DO NOTHING
RETURNING call_sid, seq, hash;

-- name: upsert_calls(call_sids, epochs, started_ats, directions, from_numbers, to_numbers, agents, tenants, verticals, pods, answered_ats, ended_ats, outcomes, reasons)!
-- Fill in what new facts say of their calls: one row a call; null where they say nothing.
INSERT INTO calls AS known (
    call_sid, epoch, started_at, direction, from_number, to_number, agent, tenant, vertical, pod,
    answered_at, ended_at, outcome, reason
)
SELECT * FROM unnest(
    :call_sids::text[], :epochs::bigint[], :started_ats::timestamptz[], :directions::text[],
    :from_numbers::text[], :to_numbers::text[], :agents::text[], :tenants::text[],
    :verticals::text[], :pods::text[], :answered_ats::timestamptz[], :ended_ats::timestamptz[],
    :outcomes::text[], :reasons::text[]
) AS given
ON CONFLICT (call_sid) DO UPDATE SET
    epoch = greatest(known.epoch, excluded.epoch),
    started_at = least(known.started_at, excluded.started_at),
    direction = coalesce(known.direction, excluded.direction),
    from_number = CASE WHEN known.erased_at IS NULL
        THEN coalesce(known.from_number, excluded.from_number) END,
    to_number = CASE WHEN known.erased_at IS NULL
        THEN coalesce(known.to_number, excluded.to_number) END,
    agent = coalesce(known.agent, excluded.agent),
    tenant = coalesce(known.tenant, excluded.tenant),
    vertical = coalesce(known.vertical, excluded.vertical),
    pod = coalesce(known.pod, excluded.pod),
    answered_at = least(known.answered_at, excluded.answered_at),
    ended_at = coalesce(known.ended_at, excluded.ended_at),
    outcome = coalesce(known.outcome, excluded.outcome),
    reason = coalesce(known.reason, excluded.reason);

-- name: newest_calls(before, count)
-- The newest calls first, begun before a moment (null: of all).
SELECT calls.*, (SELECT count(*) FROM facts WHERE facts.call_sid = calls.call_sid) AS facts
FROM calls
WHERE :before::timestamptz IS NULL OR started_at < :before::timestamptz
ORDER BY started_at DESC, call_sid DESC
LIMIT :count::bigint;

-- name: one_call(call_sid)^
SELECT calls.*, (SELECT count(*) FROM facts WHERE facts.call_sid = calls.call_sid) AS facts
FROM calls
WHERE call_sid = :call_sid;

-- name: facts_of_call(call_sid)
SELECT seq, epoch, kind, at, payload, salt, digest, hash
FROM facts
WHERE call_sid = :call_sid
ORDER BY seq;

-- name: aside_of_call(call_sid)
SELECT seq, epoch, kind, at, payload, salt, digest, hash, why
FROM stray_facts
WHERE call_sid = :call_sid
ORDER BY seq, found_at, hash;

-- name: unended_calls(pod, count)
-- A pod's calls without an outcome, the oldest first.
SELECT call_sid FROM calls
WHERE outcome IS NULL AND pod = :pod
ORDER BY started_at, call_sid
LIMIT :count::bigint;

-- name: insert_carrier_facts(call_sids, digests, kinds, ats, payloads)!
-- Keep what the carrier told, once; the first to come says when.
INSERT INTO carrier_facts (call_sid, digest, kind, at, payload)
SELECT * FROM unnest(
    :call_sids::text[], :digests::text[], :kinds::text[], :ats::timestamptz[], :payloads::text[]
) AS given
ON CONFLICT DO NOTHING;

-- name: carrier_facts_of_call(call_sid)
SELECT kind, at, payload FROM carrier_facts
WHERE call_sid = :call_sid
ORDER BY at, kind, digest;

-- name: known_calls(after, count)
-- Every call that any table of the chain knows, in the order of their names.
(SELECT call_sid FROM calls WHERE call_sid > :after ORDER BY call_sid LIMIT :count::bigint)
UNION
(SELECT DISTINCT call_sid FROM facts WHERE call_sid > :after ORDER BY call_sid LIMIT :count::bigint)
UNION
(SELECT DISTINCT call_sid FROM stray_facts
    WHERE call_sid > :after ORDER BY call_sid LIMIT :count::bigint)
ORDER BY call_sid
LIMIT :count::bigint;

-- name: calls_between(since, until, tenant, after_at, after_sid, count)
-- The oldest calls first, behind a place in their order; null: no bound.
SELECT call_sid, started_at FROM calls
WHERE (:since::timestamptz IS NULL OR started_at >= :since)
    AND (:until::timestamptz IS NULL OR started_at < :until)
    AND (:tenant::text IS NULL OR tenant = :tenant)
    AND (:after_at::timestamptz IS NULL OR (started_at, call_sid) > (:after_at, :after_sid::text))
ORDER BY started_at, call_sid
LIMIT :count::bigint;

-- name: rows_of_calls(call_sids)
SELECT calls.*, (SELECT count(*) FROM facts WHERE facts.call_sid = calls.call_sid) AS facts
FROM calls
WHERE call_sid = ANY(:call_sids::text[]);

-- name: facts_of_calls(call_sids)
SELECT call_sid, seq, epoch, kind, at, payload, salt, digest, hash
FROM facts
WHERE call_sid = ANY(:call_sids::text[])
ORDER BY call_sid, seq;

-- name: aside_of_calls(call_sids)
SELECT call_sid, seq, epoch, kind, at, payload, salt, digest, hash, why
FROM stray_facts
WHERE call_sid = ANY(:call_sids::text[])
ORDER BY call_sid, seq, found_at, hash;

-- name: carrier_facts_of_calls(call_sids)
SELECT call_sid, kind, at, payload
FROM carrier_facts
WHERE call_sid = ANY(:call_sids::text[])
ORDER BY call_sid, at, kind, digest;

-- name: doubled_calls()
-- Calls that share a first fact, or a stream: salts are random, and no carrier gives a name twice.
SELECT array_agg(DISTINCT call_sid ORDER BY call_sid) AS call_sids
FROM facts
WHERE seq = 1
GROUP BY digest
HAVING count(DISTINCT call_sid) > 1
UNION
SELECT array_agg(DISTINCT call_sid ORDER BY call_sid)
FROM facts
WHERE kind = 'stream_opened' AND payload <> ''
GROUP BY payload
HAVING count(DISTINCT call_sid) > 1;

-- name: told_calls(since, until)
-- Calls that were answered and are over, says the carrier, and of which no fact is here.
SELECT DISTINCT call_sid FROM carrier_facts AS told
WHERE kind = 'status' AND payload LIKE '{"status":"completed"%'
    AND (:since::timestamptz IS NULL OR at >= :since)
    AND (:until::timestamptz IS NULL OR at < :until)
    AND NOT EXISTS (SELECT FROM calls WHERE calls.call_sid = told.call_sid)
    AND NOT EXISTS (SELECT FROM facts WHERE facts.call_sid = told.call_sid)
ORDER BY call_sid;
