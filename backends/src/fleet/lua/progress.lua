-- The progress of a command: returns the number of replicas that have executed it or a later one, and of members.
-- KEYS: members, commands done. ARGV: now or nothing, the number, milliseconds until a silent replica is forgotten.
local MEMBERS, DONE = unpack(KEYS)
return {redis.call('ZCOUNT', DONE, ARGV[2], '+inf'), redis.call('ZCOUNT', MEMBERS, math.max(now - ARGV[3], 0), '+inf')}
