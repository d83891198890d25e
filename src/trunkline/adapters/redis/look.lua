-- The fleet as it is.
-- Answers {now_ms, holders, inbound, outbound, then for each pod: pod, incarnation, address, revision,
-- target, cap, draining, replaced, joined_ms, lease_left_ms, held}.
begin()
local answer = {text(now), redis.call('HLEN', holders), counted('d:inbound'), counted('d:outbound')}
for _, pod in ipairs(roster()) do
  local name, incarnation = parts_of(pod.life)
  for _, field in ipairs({
    name, incarnation, pod.address, pod.revision, pod.target, pod.cap,
    pod.draining and 1 or 0, pod.replaced and 1 or 0, text(pod.joined), text(pod.ends - now), pod.held,
  }) do
    answer[#answer + 1] = field
  end
end
return answer
