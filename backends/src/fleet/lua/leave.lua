-- A replica stops: its silence means nothing.
-- KEYS: members, incidents, commands done. ARGV: replica, the beginning of the other keys of this service.
local TYPES = {'zset', 'set', 'zset'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
local MEMBERS, INCIDENTS, DONE = unpack(KEYS)
redis.call('ZREM', MEMBERS, ARGV[1])
redis.call('ZREM', DONE, ARGV[1])
for _, breaker in ipairs(redis.call('SMEMBERS', INCIDENTS)) do
  for _, set in ipairs({'open:', 'unwell:', 'probing:'}) do
    local key = ARGV[2] .. set .. breaker
    if redis.call('TYPE', key).ok == 'zset' then redis.call('ZREM', key, ARGV[1]) end
  end
end
return 1
