-- A replica is alive. Answers the number of members, and the breakers that have an incident.
-- KEYS: members, incidents, born. ARGV: now or nothing, replica, milliseconds until a silent one is forgotten, seconds to keep.
local TYPES = {'zset', 'set', 'string'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
local MEMBERS, INCIDENTS, BORN = unpack(KEYS)
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('ZADD', MEMBERS, now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', '(' .. math.max(now - ARGV[3], 0))
redis.call('EXPIRE', MEMBERS, ARGV[4])
redis.call('SET', BORN, string.format('%.0f', now), 'NX')
redis.call('EXPIRE', BORN, ARGV[4])
return {redis.call('ZCARD', MEMBERS), redis.call('SMEMBERS', INCIDENTS)}
