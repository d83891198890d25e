-- A slot on some pod for a call, or why there is none.
-- ARGV: call, hold_ms, direction, holding (1 or 0), version, tenant, vertical, vertical's most,
-- tenant's most, tenant's most placed, kept for inbound ('-' for no limit), kin (JSON), excluded pods
-- (JSON), then each model's name and most.
-- Answers {'placed', pod, incarnation, address, model, epoch, bound, first}, or {'full', reason, held_ms}.
local A = FLEET_ARGS
local call, hold_ms, direction = ARGV[A + 1], tonumber(ARGV[A + 2]), ARGV[A + 3]
local version, tenant, vertical = tonumber(ARGV[A + 5]), ARGV[A + 6], ARGV[A + 7]
local kin_text = ARGV[A + 12]
local kin, exclude = cjson.decode(kin_text), ARGV[A + 13]
local MODELS = A + 13

begin()

-- The newest version's limits count; of one version, the last told.
local told, keys = {}, {}
local function tell(key, most, placed)
  if not told[key] then keys[#keys + 1] = key end
  told[key] = ARGV[A + 5] .. ' ' .. most .. ' ' .. placed
end
tell('inbound', ARGV[A + 11], '-')
for at = MODELS + 1, #ARGV, 2 do tell('m:' .. ARGV[at], ARGV[at + 1], '-') end
if vertical ~= '' then tell('v:' .. vertical, ARGV[A + 8], '-') end
if tenant ~= '' then tell('t:' .. tenant, ARGV[A + 9], ARGV[A + 10]) end

local limit_of, counted_of = {}, {}
local known = redis.call('HMGET', limits, unpack(keys))
for at, key in ipairs(keys) do
  limit_of[key] = known[at]
  if known[at] ~= told[key] and (not known[at] or version >= tonumber(known[at]:match('^%S+'))) then
    redis.call('HSET', limits, key, told[key])
    limit_of[key] = told[key]
  end
end

local function limit(key)
  if limit_of[key] == nil then limit_of[key] = redis.call('HGET', limits, key) end
  if not limit_of[key] then return nil, nil end
  local most, placed = limit_of[key]:match('^%S+ (%S+) (%S+)$')
  return tonumber(most), tonumber(placed)
end

local function placed(slot, first)
  local pod, incarnation = parts_of(slot.life)
  local bound = slot.hold == 'bound' and 1 or 0
  return {'placed', pod, incarnation, address_of(slot.life), slot.model, slot.epoch, bound, first}
end

local slot = slot_of(call)
if slot then
  local away = false
  if slot.hold ~= 'bound' then
    local pod = parts_of(slot.life)
    for _, name in ipairs(cjson.decode(exclude)) do away = away or name == pod end
  end
  if away or is_gone(slot.life) then
    free(call, slot)
  else
    local ends = redis.call('ZSCORE', expiring, call)
    if ends and tonumber(ends) <= now then redis.call('ZADD', expiring, now + hold_ms, call) end
    return placed(slot, 0)
  end
end

-- How many more calls there may be.
local function left(key)
  local most = limit(key)
  if not most then return math.huge end
  if not counted_of[key] then counted_of[key] = counted(key) end
  return most - counted_of[key]
end

local function left_of_models(one)
  if one[3] == cjson.null then return math.huge end
  local sum = 0
  for _, model in ipairs(one[3]) do sum = sum + math.max(0, left('m:' .. model)) end
  return sum
end

local function left_of(one)
  local least = left_of_models(one)
  if one[1] ~= '' then least = math.min(least, left('v:' .. one[1])) end
  if one[2] ~= '' then least = math.min(least, left('t:' .. one[2])) end
  return math.max(0, least)
end

local function refusal()
  if left_of_models(kin) <= 0 then return 'model_full' end
  if vertical ~= '' and left('v:' .. vertical) <= 0 then return 'vertical_full' end
  if tenant == '' then return nil end
  if left('t:' .. tenant) <= 0 then return 'tenant_full' end
  local _, most = limit('t:' .. tenant)
  if direction == 'outbound' and most and counted('o:' .. tenant) >= most then
    return 'outbound_full'
  end
  return nil
end

local function share_a_model(one)
  if one[3] == cjson.null or kin[3] == cjson.null then return false end
  local mine = {}
  for _, model in ipairs(kin[3]) do mine[model] = true end
  for _, model in ipairs(one[3]) do
    if mine[model] then return true end
  end
  return false
end

-- Whether the free slots exceed what older holders would take, in each limit of the call's own.
local function goes_first(room)
  local everywhere, of_vertical, of_tenant, of_models = 0, 0, 0, 0
  local everybody = redis.call('HKEYS', kins)
  if #everybody == 0 then return true end
  local me = redis.call('HGET', holders, call)
  local since = me and me:match('^%d+')
  for _, other in ipairs(everybody) do
    local to = '(' .. other .. '\v'  -- Follows '\n'.
    if since then to = '(' .. other .. '\n' .. since .. '\n' .. call end
    local older = redis.call('ZLEXCOUNT', holding, '[' .. other .. '\n', to)
    if older > 0 then
      local one = cjson.decode(other)
      local taken = math.min(older, left_of(one))
      everywhere = everywhere + taken
      if one[1] == vertical then of_vertical = of_vertical + taken end
      if one[2] == tenant then of_tenant = of_tenant + taken end
      if share_a_model(one) then of_models = of_models + taken end
    end
  end
  return room > everywhere
    and (vertical == '' or left('v:' .. vertical) > of_vertical)
    and (tenant == '' or left('t:' .. tenant) > of_tenant)
    and left_of_models(kin) > of_models
end

-- It found no slot, once more; how long it has been holding.
local function remember()
  local known = redis.call('HGET', holders, call)
  local since = known and known:match('^%d+') or string.format('%015.0f', now)
  if known ~= since .. ' ' .. kin_text then
    forget_holder(call)
    redis.call('HSET', holders, call, since .. ' ' .. kin_text)
    redis.call('ZADD', holding, 0, kin_text .. '\n' .. since .. '\n' .. call)
    redis.call('HINCRBY', kins, kin_text, 1)
  end
  redis.call('ZADD', absent, now + holder_ms, call)
  return now - tonumber(since)
end

local open, room, why = open_pods(roster(), exclude)
if direction == 'outbound' then
  room = room - (limit('inbound') or 0)
  if not why and room <= 0 then why = 'inbound_kept' end
end
why = why or refusal()
if not why and not goes_first(room) then why = 'older_holders' end
if why then
  local held_ms = 0
  if ARGV[A + 4] == '1' and direction == 'inbound' then held_ms = remember() end
  return {'full', why, held_ms}
end
local model = ''
for at = MODELS + 1, #ARGV, 2 do
  if model == '' and left('m:' .. ARGV[at]) > 0 then model = ARGV[at] end
end
slot = {
  life = choose(open).life, epoch = '0', hold = 'reserved',
  direction = direction, tenant = tenant, vertical = vertical, model = model,
}
give(call, slot, now + hold_ms)
return placed(slot, 1)
