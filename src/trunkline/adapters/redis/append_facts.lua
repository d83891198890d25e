-- Append what follows a head: nobody but the owner of the epoch, nothing but the next in the chain.
-- KEYS: call, facts.  ARGV: epoch, ttl_ms, head seq, head hash, ends (1 if an entry ends the call),
-- then for each entry its hash and its JSON.
-- Answers {'held', seq, head}, or {'unknown' | 'epoch' | 'ended' | 'chain'},
-- or {'behind', seq, head}: less is held here than was acknowledged.
local call = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'head')
if not call[1] then return {'unknown'} end
if call[1] ~= ARGV[1] then return {'epoch'} end
local held = tonumber(call[3])
local after = tonumber(ARGV[3])
if after > held then return {'behind', call[3], call[4]} end

local function held_hash(seq)
  if seq == held then return call[4] end
  return cjson.decode(redis.call('LINDEX', KEYS[2], seq - 1))['hash']
end

if after > 0 and held_hash(after) ~= ARGV[4] then return {'chain'} end
local given = (#ARGV - 5) / 2
for i = 1, math.min(given, held - after) do
  if held_hash(after + i) ~= ARGV[4 + 2 * i] then return {'chain'} end
end
local new = given - (held - after)
if new <= 0 then return {'held', call[3], call[4]} end
if call[2] == 'ended' then return {'ended'} end
for i = given - new + 1, given do
  redis.call('RPUSH', KEYS[2], ARGV[5 + 2 * i])
end
local seq, head = string.format('%.0f', after + given), ARGV[4 + 2 * given]
redis.call('HSET', KEYS[1], 'seq', seq, 'head', head)
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'state', 'ended') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {'held', seq, head}
