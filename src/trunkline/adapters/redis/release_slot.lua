-- The call is over on this pod: its slot is free, unless a later epoch has it.
-- ARGV: call, pod, incarnation, epoch.  Answers 1 if it was there.
local A = FLEET_ARGS
local call, life = ARGV[A + 1], life_of(ARGV[A + 2], ARGV[A + 3])
local slot = slot_of(call)
if not slot then
  forget_holder(call)
  return 0
end
if slot.life ~= life or tonumber(slot.epoch) > tonumber(ARGV[A + 4]) then return 0 end
free(call, slot)
return 1
