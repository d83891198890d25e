-- What erases. Of a fact its payload and salt go; its digest and hash stay, so its chain verifies.

-- name: try_lock(key)$
-- One purge at a time: held until the transaction's end.
SELECT pg_try_advisory_xact_lock(:key::bigint);

-- name: now()$
-- By the database's clock: a pod whose clock is wrong erases nothing early.
SELECT now();

-- name: due_calls(tenants, tenant_befores, verticals, vertical_befores, unended, count)
-- The oldest calls that ended before their tenant's time (null: kept), or else their vertical's.
SELECT calls.call_sid
FROM calls
LEFT JOIN unnest(:tenants::text[], :tenant_befores::timestamptz[]) AS own (tenant, before)
    ON own.tenant = calls.tenant
LEFT JOIN unnest(:verticals::text[], :vertical_befores::timestamptz[]) AS shared (vertical, before)
    ON shared.vertical = calls.vertical
WHERE erased_at IS NULL
    AND coalesce(ended_at, started_at + :unended::interval)
        < CASE WHEN own.tenant IS NULL THEN shared.before ELSE own.before END
ORDER BY started_at
LIMIT :count::bigint;

-- name: calls_of_number(number, unended)
-- Every call from or to a number, and whether it is over.
SELECT call_sid, coalesce(ended_at, started_at + :unended::interval) <= now() AS over
FROM calls
WHERE from_number = :number OR to_number = :number
ORDER BY started_at, call_sid;

-- name: lock_calls(call_sids, unended)
-- Those of the calls that are over; their rows are ours until the transaction's end.
SELECT call_sid
FROM calls
WHERE call_sid = ANY(:call_sids::text[])
    AND coalesce(ended_at, started_at + :unended::interval) <= now()
ORDER BY call_sid
FOR UPDATE;

-- name: late_calls(late)
-- Calls that were erased of late and soon after their end: a fact may have come after that.
SELECT call_sid
FROM calls
WHERE erased_at >= now() - :late::interval
    AND erased_at < coalesce(ended_at, started_at) + :late::interval
ORDER BY call_sid;

-- name: count_facts(call_sids)$
SELECT count(*) FROM facts WHERE call_sid = ANY(:call_sids::text[]) AND salt <> '';

-- name: erase_facts(call_sids)$
WITH erased AS (
    UPDATE facts SET payload = '', salt = ''
    WHERE call_sid = ANY(:call_sids::text[]) AND (payload <> '' OR salt <> '')
    RETURNING 1
)
SELECT count(*) FROM erased;

-- name: erase_strays(call_sids)$
WITH erased AS (
    UPDATE stray_facts SET payload = '', salt = ''
    WHERE call_sid = ANY(:call_sids::text[]) AND (payload <> '' OR salt <> '')
    RETURNING 1
)
SELECT count(*) FROM erased;

-- name: erase_carrier_facts(call_sids)$
-- Outside the chain, and without a salt: a number could be guessed from a digest. They go whole.
WITH erased AS (
    DELETE FROM carrier_facts WHERE call_sid = ANY(:call_sids::text[])
    RETURNING 1
)
SELECT count(*) FROM erased;

-- name: blank_calls(call_sids)!
UPDATE calls SET from_number = NULL, to_number = NULL, erased_at = coalesce(erased_at, now())
WHERE call_sid = ANY(:call_sids::text[]);
