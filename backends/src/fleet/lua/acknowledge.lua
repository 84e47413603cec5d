-- A claimed stage was sent: the rule of `tripline_core::fleet::acknowledge`. Answers 1 where the claim was the replica's.
-- KEYS: incidents, incident. ARGV: now or nothing, breaker, replica, epoch, fence, stage, kind, open replicas, seconds to keep.
local TYPES = {'set', 'hash'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
local INCIDENTS, INCIDENT = unpack(KEYS)
local breaker, replica = ARGV[2], ARGV[3]
local epoch, fence, due = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kind, open, expire = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local NAMES = {'epoch', 'fence', 'active', 'kind', 'stage', 'noted'}
local kept = redis.call('HMGET', INCIDENT, unpack(NAMES))
local s = {}
for i, name in ipairs(NAMES) do s[name] = tonumber(kept[i] or '0') or 0 end
if s.epoch ~= epoch or s.fence ~= fence or redis.call('HGET', INCIDENT, 'by') ~= replica then return 0 end

local function set(...)
  redis.call('HSET', INCIDENT, ...)
end
set('by', '', 'till', '0')
if due == 1 or due == 2 then
  if s.kind == kind and s.active == 1 then
    set('stage', math.max(s.stage, due), 'noted', math.max(s.noted, open, 1), 'noted_at', string.format('%.0f', now))
  end
elseif due == 5 then
  set('noted', math.max(s.noted, open), 'noted_at', string.format('%.0f', now))
elseif due == 3 and s.active == 1 then
  set('active', 0, 'closing', 0, 'stage', 3, 'resolved', string.format('%.0f', now))
elseif due == 4 then
  set('stage', 4, 'sent', 0)
  redis.call('SREM', INCIDENTS, breaker)
end
redis.call('EXPIRE', INCIDENT, expire)
return 1
