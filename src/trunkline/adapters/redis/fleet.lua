-- What all scripts of the fleet's slots share; `core/fleet.py` says the same in Python.
-- Prepended to each of them: KEYS 1 to 15 and ARGV 1 to 8 are theirs in common, KEYS from FLEET_KEYS
-- and ARGV from FLEET_ARGS on are a script's own.
--
-- slots: call -> JSON.  by_pod: 'pod incarnation call', score 0.  expiring: reserved call, when.
-- pods: life ('pod incarnation') -> a line of text (`said_of`).  order: life, ordinal.  leases: life, when its lease ends.
-- counts: 'p:LIFE', 'd:DIRECTION', 'v:VERTICAL', 't:TENANT', 'o:TENANT' (placed), 'm:MODEL' -> slots.
-- limits: 'v:', 't:', 'm:', 'inbound' -> 'version most most_placed', '-' for none.
-- state: asked, settles.  names: pod -> life.  past: life, until when that is known.
-- holders: call -> 'since kin'.  holding: 'kin\nsince\ncall', score 0.  kin: kin -> holders.
-- absent: holder, when it is forgotten.
local FLEET_KEYS, FLEET_ARGS = 15, 8
local slots, by_pod, expiring, pods, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local leases, counts, limits, state, names = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local past, holders, holding, kins, absent = KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local lease_ms, quiet_ms, reap_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local holder_ms, past_ms, ttl_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local inbound_hold_ms = tonumber(ARGV[8])

-- The store's time; only tests give another (ARGV[1]).
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

local function life_of(pod, incarnation)
  return pod .. ' ' .. incarnation
end

local function parts_of(life)
  return life:match('^(%S+) (%S+)$')
end

-- Slots.

local function count_one(key, by)
  if redis.call('HINCRBY', counts, key, by) == 0 then redis.call('HDEL', counts, key) end
end

local function count(slot, by)
  count_one('p:' .. slot.life, by)
  count_one('d:' .. slot.direction, by)
  if slot.vertical ~= '' then count_one('v:' .. slot.vertical, by) end
  if slot.model ~= '' then count_one('m:' .. slot.model, by) end
  if slot.tenant ~= '' then
    count_one('t:' .. slot.tenant, by)
    if slot.direction == 'outbound' then count_one('o:' .. slot.tenant, by) end
  end
end

local function counted(key)
  return tonumber(redis.call('HGET', counts, key) or '0')
end

local function slot_of(call)
  local found = redis.call('HGET', slots, call)
  return found and cjson.decode(found)
end

local function put(call, slot)
  redis.call('HSET', slots, call, cjson.encode(slot))
end

local function forget_holder(call)
  local found = redis.call('HGET', holders, call)
  if not found then return end
  local since, kin = found:match('^(%d+) (.*)$')
  redis.call('HDEL', holders, call)
  redis.call('ZREM', holding, kin .. '\n' .. since .. '\n' .. call)
  redis.call('ZREM', absent, call)
  if redis.call('HINCRBY', kins, kin, -1) == 0 then redis.call('HDEL', kins, kin) end
end

local function give(call, slot, expires_at)
  put(call, slot)
  redis.call('ZADD', by_pod, 0, slot.life .. ' ' .. call)
  if expires_at then redis.call('ZADD', expiring, expires_at, call) end
  count(slot, 1)
  forget_holder(call)
end

local function free(call, slot)
  redis.call('HDEL', slots, call)
  redis.call('ZREM', by_pod, slot.life .. ' ' .. call)
  redis.call('ZREM', expiring, call)
  count(slot, -1)
end

local function calls_of(life, most)
  local from, to = '[' .. life .. ' ', '(' .. life .. '!'  -- '!' follows ' '.
  local found
  if most then
    found = redis.call('ZRANGEBYLEX', by_pod, from, to, 'LIMIT', 0, most)
  else
    found = redis.call('ZRANGEBYLEX', by_pod, from, to)
  end
  for at, member in ipairs(found) do found[at] = member:sub(#life + 2) end
  return found
end

-- Pods.

local function is_replaced(life)
  return redis.call('HGET', names, (parts_of(life))) ~= life
end

local function remove(life)
  redis.call('HDEL', pods, life)
  redis.call('ZREM', order, life)
  redis.call('ZREM', leases, life)
  redis.call('ZADD', past, now + past_ms, life)
end

-- A pod's line: numbers first, and the revision by its length, for both texts may hold anything.
local function said_of(line)
  local target, cap, draining, replaced, joined, ends, length, at =
    line:match('^(%d+) (%d+) (%d) (%d) (%d+) (%d+) (%d+) ()')
  local after = at + length
  return {
    target = tonumber(target), cap = tonumber(cap), draining = draining == '1',
    replaced = replaced == '1', joined = tonumber(joined), ends = tonumber(ends),
    revision = line:sub(at, after - 1), address = line:sub(after),
  }
end

local function put_pod(life, pod)
  redis.call('HSET', pods, life, string.format('%d %d %d %d %.0f %.0f %d ',
    pod.target, pod.cap, pod.draining and 1 or 0, pod.replaced and 1 or 0, pod.joined, pod.ends,
    #pod.revision) .. pod.revision .. pod.address)
end

local function address_of(life)
  local line = redis.call('HGET', pods, life)
  return line and said_of(line).address or ''
end

-- All pods in the order of their ordinals; alive: and not replaced.
local function roster()
  local lives = redis.call('ZRANGE', order, 0, -1)
  if #lives == 0 then return {} end
  local keys = {}
  for at, life in ipairs(lives) do keys[at] = 'p:' .. life end
  local lines = redis.call('HMGET', pods, unpack(lives))
  local held = redis.call('HMGET', counts, unpack(keys))
  local found = {}
  for at, life in ipairs(lives) do
    local pod = said_of(lines[at])
    pod.life, pod.held = life, tonumber(held[at] or 0)
    pod.alive = pod.ends > now and not pod.replaced
    found[at] = pod
  end
  return found
end

-- Those that may get a call, their free slots, and why none may.
local function open_pods(all, exclude)
  local excluded, open, room, drains = nil, {}, 0, false
  if exclude ~= '[]' then
    excluded = {}
    for _, name in ipairs(cjson.decode(exclude)) do excluded[name] = true end
  end
  for _, pod in ipairs(all) do
    if pod.alive and not (excluded and excluded[(parts_of(pod.life))]) then
      if pod.draining then
        drains = true
      else
        open[#open + 1] = pod
        room = room + math.max(0, pod.cap - pod.held)
      end
    end
  end
  local why
  if room <= 0 then
    if #open > 0 then why = 'cap' elseif drains then why = 'draining' else why = 'no_pod' end
  end
  return open, room, why
end

local function least_loaded(open)
  local calls, needed, reached, best = 0, 0, false, nil
  for _, pod in ipairs(open) do calls = calls + pod.held end
  for _, pod in ipairs(open) do
    local beyond = reached
    reached = reached or needed >= calls
    needed = needed + pod.target
    if beyond and best then break end
    -- Loads as fractions of targets, compared without division.
    if pod.held < pod.cap and (not best or pod.held * best.target < best.held * pod.target) then
      best = pod
    end
  end
  return best
end

-- The revision that came last, by the first of its pods, of all that live.
local function newest_revision(all)
  local since, revisions, last = {}, {}, nil
  for _, pod in ipairs(all) do
    if pod.alive then
      if not since[pod.revision] then revisions[#revisions + 1] = pod.revision end
      since[pod.revision] = math.min(since[pod.revision] or pod.joined, pod.joined)
    end
  end
  for _, revision in ipairs(revisions) do
    if not last or since[revision] > since[last] then last = revision end
  end
  return last
end

local function choose(open, prefer)
  if prefer then
    local preferred = {}
    for _, pod in ipairs(open) do
      if pod.revision == prefer then preferred[#preferred + 1] = pod end
    end
    local found = least_loaded(preferred)
    if found then return found end
  end
  return least_loaded(open)
end

-- Reclaiming, in bounded pieces; first in each step but those that end or move one call.

local function is_gone(life)
  local ends = tonumber(redis.call('ZSCORE', leases, life))
  if ends > now then return false end
  return now >= tonumber(redis.call('HGET', state, 'settles')) or is_replaced(life)
end

local function begin()
  local known = redis.call('HMGET', state, 'asked', 'settles')
  local settles = tonumber(known[2] or '0')
  if not known[1] or math.abs(now - tonumber(known[1])) > quiet_ms then
    settles = now + lease_ms
  end
  redis.call('HSET', state, 'asked', text(now), 'settles', text(settles))
  for _, call in ipairs(redis.call('ZRANGEBYSCORE', absent, '-inf', now, 'LIMIT', 0, reap_max)) do
    forget_holder(call)
  end
  local left = reap_max
  if now >= settles then
    local over = redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, left)
    for _, call in ipairs(over) do free(call, slot_of(call)) end
    left = left - #over
  end
  for _, life in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
    if now >= settles or is_replaced(life) then
      local calls = calls_of(life, left + 1)
      for at, call in ipairs(calls) do
        if at <= left then free(call, slot_of(call)) end
      end
      if #calls <= left then remove(life) end
      left = left - math.min(left, #calls)
    end
  end
end
