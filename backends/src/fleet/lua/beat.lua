-- A replica is alive. Answers the number of members, the breakers that have an incident, and the commands that it is to carry out, as
-- `tripline_core::fleet::Commands::newer` has them.
-- KEYS: members, incidents, born, commands, last command, commands done. ARGV: now or nothing, replica, milliseconds until a silent one
-- is forgotten, seconds to keep, the last command that it has carried out or nothing, milliseconds that a command lasts.
local TYPES = {'zset', 'set', 'string', 'zset', 'string', 'zset'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
local MEMBERS, INCIDENTS, BORN, COMMANDS, LAST, DONE = unpack(KEYS)
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('ZADD', MEMBERS, now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', '(' .. math.max(now - ARGV[3], 0))
redis.call('ZREMRANGEBYSCORE', MEMBERS, '(' .. now, '+inf')
redis.call('EXPIRE', MEMBERS, ARGV[4])
if tonumber(redis.call('GET', BORN) or now) >= now then redis.call('SET', BORN, string.format('%.0f', now)) end
redis.call('EXPIRE', BORN, ARGV[4])

local commands, done = {}, tonumber(ARGV[5])
if done then
  if done > 0 then
    if done > tonumber(redis.call('GET', LAST) or '0') then
      redis.call('SET', LAST, ARGV[5], 'EX', ARGV[4])
    end
    redis.call('ZADD', DONE, done, ARGV[2])
    redis.call('EXPIRE', DONE, ARGV[4])
  end
  for _, command in ipairs(redis.call('ZRANGEBYSCORE', COMMANDS, '(' .. ARGV[5], '+inf')) do
    local at = tonumber(string.match(command, ' (%d+) '))
    if math.max(now - at, 0) <= tonumber(ARGV[6]) then commands[#commands + 1] = command end
  end
end
return {redis.call('ZCARD', MEMBERS), redis.call('SMEMBERS', INCIDENTS), commands}
