-- Begin a call's journal, or say how it was begun.
-- KEYS: call.  ARGV: pod, incarnation, ttl_ms, genesis, the time ('' for the store's; only tests give another).
-- Answers {first, epoch, pod, incarnation, state, opened_at_ms, now_ms}.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if ARGV[5] ~= '' then now = ARGV[5] end
local first = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  first = 1
  redis.call('HSET', KEYS[1],
    'epoch', now, 'pod', ARGV[1], 'incarnation', ARGV[2], 'state', 'live',
    'opened_at_ms', now, 'resumed_from', '0', 'seq', '0', 'head', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local call = redis.call('HMGET', KEYS[1],
  'epoch', 'pod', 'incarnation', 'state', 'opened_at_ms')
return {first, call[1], call[2], call[3], call[4], call[5], now}
