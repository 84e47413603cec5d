-- A replica stops: its silence has no meaning.
-- KEYS: members, incidents, commands done. ARGV: now or nothing, replica, the prefix of the keys of this service.
local MEMBERS, INCIDENTS, DONE = unpack(KEYS)
local replica, prefix = ARGV[2], ARGV[3]
redis.call('ZREM', MEMBERS, replica)
redis.call('ZREM', DONE, replica)
for _, breaker in ipairs(redis.call('SMEMBERS', INCIDENTS)) do
  for _, set in ipairs({'open:', 'unwell:', 'probing:'}) do
    -- It is not one of KEYS: one of another type is left alone.
    redis.pcall('ZREM', prefix .. set .. breaker, replica)
  end
end
return 1
