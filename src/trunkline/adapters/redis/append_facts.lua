-- Append what follows a head: nobody but the owner of the epoch, nothing but the next in the chain.
-- KEYS: call, facts.  ARGV: epoch, pod, incarnation, ttl_ms, genesis, head seq, head hash, ends (1 if
-- an entry ends the call), then for each entry its hash and its JSON.
-- Answers {'held', seq, head}, or {'epoch' | 'ended' | 'chain'},
-- or {'behind', seq, head}: less is held here than was acknowledged, or another chain than that of
-- the higher epoch that asks.
--
-- A store that crashed may have forgotten the call, or its last epoch. A call that is not known is
-- begun anew by whoever brings it from its first entry on. A higher epoch than the one held was given
-- here and forgotten: it takes the call again, and the journal then ends where its append ends.
local GIVEN = 8
local call = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'head')
local after = tonumber(ARGV[6])
local held = tonumber(call[3] or '0')
local head = call[4] or ARGV[5]
local takes = not call[1] or tonumber(ARGV[1]) > tonumber(call[1])
if not takes and ARGV[1] ~= call[1] then return {'epoch'} end
if after > held then return {'behind', string.format('%.0f', held), head} end

local function held_hash(seq)
  if seq == 0 then return ARGV[5] end
  if seq == held then return head end
  return cjson.decode(redis.call('LINDEX', KEYS[2], seq - 1))['hash']
end

if held_hash(after) ~= ARGV[7] then
  if takes then return {'behind', '0', ARGV[5]} end
  return {'chain'}
end
local given = (#ARGV - GIVEN) / 2
local same = 0
while same < math.min(given, held - after)
  and held_hash(after + same + 1) == ARGV[GIVEN + 2 * same + 1] do
  same = same + 1
end
local ended = call[2] == 'ended' and (not takes or after + same == held)
if ended and same < given and (takes or same == held - after) then return {'ended'} end
if takes then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1],
    'epoch', ARGV[1], 'pod', ARGV[2], 'incarnation', ARGV[3], 'state', 'live',
    'opened_at_ms', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)),
    'resumed_from', '0')
  if after + same == 0 then
    redis.call('DEL', KEYS[2])
  elseif after + same < held then
    redis.call('LTRIM', KEYS[2], 0, after + same - 1)
  end
elseif same < math.min(given, held - after) then
  return {'chain'}
elseif same == given then
  return {'held', call[3], head}
end
for i = same + 1, given do
  redis.call('RPUSH', KEYS[2], ARGV[GIVEN + 2 * i])
end
local seq = string.format('%.0f', after + given)
if given > 0 then head = ARGV[GIVEN + 2 * given - 1] else head = ARGV[7] end
redis.call('HSET', KEYS[1], 'seq', seq, 'head', head)
if ended or ARGV[8] == '1' then redis.call('HSET', KEYS[1], 'state', 'ended') end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'held', seq, head}
