-- The pod has ended, and said so: whatever it held is free.
-- ARGV: pod, incarnation.
local life = life_of(ARGV[FLEET_ARGS + 1], ARGV[FLEET_ARGS + 2])
for _, call in ipairs(calls_of(life)) do free(call, slot_of(call)) end
if redis.call('HEXISTS', pods, life) == 1 then remove(life) end
return 1
