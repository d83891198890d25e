-- The call log has all of an ended call: let it expire soon; a live one is left alone.
-- KEYS: call, facts.  ARGV: ttl_ms.
if redis.call('HGET', KEYS[1], 'state') ~= 'ended' then return 0 end
redis.call('HSET', KEYS[1], 'logged', '1')
for _, key in ipairs(KEYS) do
  -- Forgotten twice, it does not stay longer.
  if redis.call('PTTL', key) > tonumber(ARGV[1]) then redis.call('PEXPIRE', key, ARGV[1]) end
end
return 1
