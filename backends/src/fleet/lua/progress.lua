-- How far a command has come: answers how many replicas have carried it out or a later one, and the members.
-- KEYS: members, commands done. ARGV: now or nothing, the number, milliseconds until a silent replica is forgotten.
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'zset' then return redis.error_reply('FOREIGN ' .. key) end
end
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
return {redis.call('ZCOUNT', KEYS[2], ARGV[2], '+inf'), redis.call('ZCOUNT', KEYS[1], math.max(now - ARGV[3], 0), '+inf')}
