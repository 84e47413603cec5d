-- A replica is alive. Returns the number of members, the breakers that have an incident, and the commands that it is to execute, as
-- `tripline_core::fleet::Commands::newer` has them.
-- KEYS: members, incidents, born, commands, last command, commands done. ARGV: now or nothing, replica, milliseconds until a silent one
-- is forgotten, seconds to keep, the last command that it has executed or nothing, milliseconds that a command lasts.
local MEMBERS, INCIDENTS, BORN, COMMANDS, LAST, DONE = unpack(KEYS)
local replica, forget, expire = ARGV[2], ARGV[3], ARGV[4]
local oldest = math.max(now - forget, 0)
local born, incidents = redis.call('GET', BORN), redis.call('SMEMBERS', INCIDENTS)
local is_new = redis.call('ZADD', MEMBERS, now, replica) == 1
if tonumber(born or now) >= now then redis.call('SET', BORN, string.format('%.0f', now), 'EX', expire) end
-- One beat of twelve, about one a minute of each replica, removes silent members and extends the lifetime of the keys.
if is_new or now % 12 == 0 then
  redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', '(' .. oldest)
  redis.call('ZREMRANGEBYSCORE', MEMBERS, '(' .. now, '+inf')
  redis.call('EXPIRE', MEMBERS, expire)
  redis.call('EXPIRE', BORN, expire)
end

local commands, done = {}, tonumber(ARGV[5])
if done then
  if done > 0 then
    if done > tonumber(redis.call('GET', LAST) or '0') then
      redis.call('SET', LAST, ARGV[5], 'EX', expire)
    end
    redis.call('ZADD', DONE, done, replica)
    redis.call('EXPIRE', DONE, expire)
  end
  for _, command in ipairs(redis.call('ZRANGEBYSCORE', COMMANDS, '(' .. ARGV[5], '+inf')) do
    local at = tonumber(string.match(command, ' (%d+) '))
    if math.max(now - at, 0) <= tonumber(ARGV[6]) then commands[#commands + 1] = command end
  end
end
return {redis.call('ZCOUNT', MEMBERS, oldest, now), incidents, commands}
