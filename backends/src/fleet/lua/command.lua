-- A command to all replicas, as `tripline_core::fleet::Commands::place` takes it. Returns its number.
-- KEYS: commands, last command, commands done. ARGV: now or nothing, action, breaker, how many are kept, seconds to keep.
local COMMANDS, LAST, DONE = unpack(KEYS)
local number = math.max(tonumber(redis.call('GET', LAST) or '0') + 1, now)
local text = string.format('%.0f', number)
redis.call('ZADD', COMMANDS, text, string.format('%s %.0f %s %s', text, now, ARGV[2], ARGV[3]))
redis.call('ZREMRANGEBYRANK', COMMANDS, 0, -1 - ARGV[4])
redis.call('EXPIRE', COMMANDS, ARGV[5])
redis.call('SET', LAST, text, 'EX', ARGV[5])
-- Replicas that are gone are not counted for it; the others report again what they have done.
redis.call('ZREMRANGEBYRANK', DONE, 0, -1)
return text
