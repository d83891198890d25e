-- Delete a call's journal at once; a live one is left alone.
-- KEYS: call, facts.  Answers 1 if there was one.
if redis.call('HGET', KEYS[1], 'state') == 'live' then return 0 end
if redis.call('DEL', KEYS[1], KEYS[2]) > 0 then return 1 end
return 0
