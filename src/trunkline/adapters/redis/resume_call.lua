-- Compare-and-set a call's epoch to a higher one, and move its slot with it.
-- KEYS: call, facts.  ARGV: epoch, ttl_ms, window_ms, pod and incarnation ('' for anywhere), excluded pods
-- (JSON), newest (1 or 0), for a call without a slot direction, tenant, vertical, model; the call;
-- the epoch that was asked for first, 0 if this is the first choice; 1 if the call is only closed.
-- Answers {'resumed' or 'repeated', epoch, seq, head, opened_at_ms, now_ms, pod, incarnation, address},
-- or {'unknown' | 'ended' | 'stale'}, or {'full', reason}: nothing has changed.
local A = FLEET_ARGS
local call_key, facts_key = KEYS[FLEET_KEYS + 1], KEYS[FLEET_KEYS + 2]
local name = ARGV[A + 12]
local asked = ARGV[A + 1]
local call = redis.call('HMGET', call_key,
  'epoch', 'state', 'opened_at_ms', 'resumed_from', 'seq', 'head', 'pod', 'incarnation')
if not call[1] then return {'unknown'} end
if call[2] == 'ended' then return {'ended'} end

if asked ~= call[1] then
  -- All epochs since the one that was asked for first were choices of one resume.
  local from = tonumber(call[4] or '0')
  local chosen = from > 0 and from <= tonumber(asked) and tonumber(asked) < tonumber(call[1])
  if not chosen or now - tonumber(call[3]) > tonumber(ARGV[A + 3]) then return {'stale'} end
  return {'repeated', call[1], call[5], call[6], call[3], text(now), call[7], call[8],
    address_of(life_of(call[7], call[8]))}
end

local slot = slot_of(name)
local life
if ARGV[A + 4] ~= '' then
  life = life_of(ARGV[A + 4], ARGV[A + 5])
else
  local all = roster()
  for _, pod in ipairs(all) do
    -- The call's own slot takes no room from it.
    if slot and slot.life == pod.life then pod.held = pod.held - 1 end
  end
  local open, _, why = open_pods(all, ARGV[A + 6])
  if why then return {'full', why} end
  life = choose(open, ARGV[A + 7] == '1' and newest_revision(all)).life
end
local pod, incarnation = parts_of(life)

-- Never below Redis time, so that a Redis that forgot can't give an epoch twice.
local epoch = text(math.max(tonumber(call[1]) + 1, now))
redis.call('HSET', call_key,
  'epoch', epoch, 'pod', pod, 'incarnation', incarnation,
  'opened_at_ms', text(now), 'resumed_from', ARGV[A + 13] ~= '0' and ARGV[A + 13] or asked)
redis.call('PEXPIRE', call_key, ARGV[A + 2])
redis.call('PEXPIRE', facts_key, ARGV[A + 2])

if ARGV[A + 14] == '1' then
  if slot then free(name, slot) end
-- A pod that is not known gets the slot by its next beat.
elseif redis.call('HEXISTS', pods, life) == 1 then
  if slot then
    free(name, slot)
  else
    slot = {
      direction = ARGV[A + 8], tenant = ARGV[A + 9], vertical = ARGV[A + 10], model = ARGV[A + 11],
    }
  end
  slot.life, slot.epoch, slot.hold = life, epoch, 'reserved'
  give(name, slot, now + inbound_hold_ms)
end
return {'resumed', epoch, call[5], call[6], text(now), text(now), pod, incarnation, address_of(life)}
