-- A pod lives, and holds these slots and no others: the ledger follows it.
-- ARGV: pod, incarnation, address, revision, target, cap, draining (1 or 0), joined_ms, ordinal, then
-- for each slot: call, epoch, bound (1 or 0), direction, tenant, vertical, model.
-- Answers {now_ms, joined_ms, retaken, held, replaced, pods, holders, lost call, …}.
local A = FLEET_ARGS
local SLOTS, FIELDS = A + 9, 7
local name = ARGV[A + 1]
local life = life_of(name, ARGV[A + 2])

local known = redis.call('HGET', pods, life)
local me = {
  address = ARGV[A + 3], revision = ARGV[A + 4], target = tonumber(ARGV[A + 5]),
  cap = tonumber(ARGV[A + 6]), draining = ARGV[A + 7] == '1', joined = tonumber(ARGV[A + 8]),
  ends = now + lease_ms,
}
if known then me.joined = said_of(known).joined elseif me.joined == 0 then me.joined = now end

-- Who has the name: the last life that came, also if an earlier one wakes.
for _, other in ipairs(redis.call('ZRANGEBYSCORE', past, '-inf', now, 'LIMIT', 0, reap_max)) do
  redis.call('ZREM', past, other)
  if not is_replaced(other) then redis.call('HDEL', names, (parts_of(other))) end
end
local present = redis.call('HGET', names, name)
if present == life or not redis.call('ZSCORE', past, life) then
  if present and present ~= life then
    redis.call('ZADD', past, now + past_ms, present)
    local line = redis.call('HGET', pods, present)
    if line then
      local other = said_of(line)
      other.replaced = true
      put_pod(present, other)
    end
  end
  redis.call('ZREM', past, life)
  redis.call('HSET', names, name, life)
end
me.replaced = is_replaced(life)
put_pod(life, me)
redis.call('ZADD', order, ARGV[A + 9], life)
redis.call('ZADD', leases, me.ends, life)

begin()

local calls, listed = {}, {}
for at = SLOTS + 1, #ARGV, FIELDS do
  calls[#calls + 1] = ARGV[at]
  listed[ARGV[at]] = true
end
local found = {}
if #calls > 0 then found = redis.call('HMGET', slots, unpack(calls)) end
local retaken, lost = 0, {}
for i, call in ipairs(calls) do
  local at = SLOTS + FIELDS * (i - 1)
  local epoch = ARGV[at + 2]
  local one = {
    life = life, epoch = epoch, hold = ARGV[at + 3] == '1' and 'bound' or 'listed',
    direction = ARGV[at + 4], tenant = ARGV[at + 5], vertical = ARGV[at + 6], model = ARGV[at + 7],
  }
  local slot = found[i] and cjson.decode(found[i])
  if slot and slot.life == life then
    if tonumber(slot.epoch) > tonumber(epoch) then one.epoch = slot.epoch end
    local moved = slot.direction ~= one.direction or slot.tenant ~= one.tenant
      or slot.vertical ~= one.vertical or slot.model ~= one.model
    if moved then
      count(slot, -1)
      count(one, 1)
    end
    if slot.hold == 'reserved' then redis.call('ZREM', expiring, call) end
    if moved or slot.hold ~= one.hold or slot.epoch ~= one.epoch then put(call, one) end
  elseif slot and tonumber(slot.epoch) > tonumber(epoch) then
    lost[#lost + 1] = call
  elseif not slot or tonumber(slot.epoch) < tonumber(epoch) then
    if slot then free(call, slot) end
    give(call, one)
    retaken = retaken + 1
  end
end
for _, call in ipairs(calls_of(life)) do
  if not listed[call] then
    local slot = slot_of(call)
    if slot.hold ~= 'reserved' then free(call, slot) end
  end
end

for at = 1, FLEET_KEYS do redis.call('PEXPIRE', KEYS[at], ttl_ms) end
local alive = 0
for _, pod in ipairs(roster()) do
  if pod.alive then alive = alive + 1 end
end
local answer = {
  text(now), text(me.joined), retaken, counted('p:' .. life), me.replaced and 1 or 0, alive,
  redis.call('HLEN', holders),
}
for _, call in ipairs(lost) do answer[#answer + 1] = call end
return answer
