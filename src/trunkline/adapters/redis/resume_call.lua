-- Compare-and-set a call's epoch to a higher one.
-- KEYS: call, facts.  ARGV: epoch, pod, incarnation, ttl_ms, window_ms.
-- Answers {'resumed' or 'repeated', epoch, seq, head, opened_at_ms, now_ms},
-- or {'unknown' | 'ended' | 'stale'}.
local call = redis.call('HMGET', KEYS[1],
  'epoch', 'state', 'opened_at_ms', 'resumed_from', 'seq', 'head')
if not call[1] then return {'unknown'} end
if call[2] == 'ended' then return {'ended'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
if ARGV[1] == call[1] then
  -- Never below Redis time, so that a Redis that forgot can't give an epoch twice.
  local epoch = string.format('%.0f', math.max(tonumber(call[1]) + 1, now))
  redis.call('HSET', KEYS[1],
    'epoch', epoch, 'pod', ARGV[2], 'incarnation', ARGV[3],
    'opened_at_ms', now_text, 'resumed_from', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return {'resumed', epoch, call[5], call[6], now_text, now_text}
end
if ARGV[1] == call[4] and now - tonumber(call[3]) <= tonumber(ARGV[5]) then
  return {'repeated', call[1], call[5], call[6], call[3], now_text}
end
return {'stale'}
