-- A command to all replicas, as `tripline_core::fleet::Commands::place` takes it. Answers its number.
-- KEYS: commands, last command, commands done. ARGV: now or nothing, action, breaker, how many are kept, seconds to keep.
local TYPES = {'zset', 'string', 'zset'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
local COMMANDS, LAST, DONE = unpack(KEYS)
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local number = math.max(tonumber(redis.call('GET', LAST) or '0') + 1, now)
local text = string.format('%.0f', number)
redis.call('SET', LAST, text, 'EX', ARGV[5])
redis.call('ZADD', COMMANDS, text, string.format('%s %.0f %s %s', text, now, ARGV[2], ARGV[3]))
redis.call('ZREMRANGEBYRANK', COMMANDS, 0, -1 - ARGV[4])
redis.call('EXPIRE', COMMANDS, ARGV[5])
-- Replicas that are gone are not counted for it; the others say again what they have done.
redis.call('DEL', DONE)
return text
