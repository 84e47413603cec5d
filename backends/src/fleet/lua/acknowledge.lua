-- A claimed stage was sent: the rule of `tripline_core::fleet::acknowledge`. Returns 1 if the replica held the claim.
-- KEYS: incidents, incident. ARGV: now or nothing, breaker, replica, epoch, fence, stage, kind, open replicas.
local INCIDENTS, INCIDENT = unpack(KEYS)
local breaker, replica = ARGV[2], ARGV[3]
local epoch, fence, due = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kind, open = tonumber(ARGV[7]), tonumber(ARGV[8])
local NAMES = {'epoch', 'fence', 'active', 'kind', 'stage', 'noted'}
local kept = redis.call('HMGET', INCIDENT, 'by', unpack(NAMES))
local s = {}
for i, name in ipairs(NAMES) do s[name] = tonumber(kept[i + 1] or '0') or 0 end
if s.epoch ~= epoch or s.fence ~= fence or kept[1] ~= replica then return 0 end

local at = string.format('%.0f', now)
local function release_and_set(...)
  redis.call('HSET', INCIDENT, 'by', '', 'till', '0', ...)
end
if (due == 1 or due == 2) and s.kind == kind and s.active == 1 then
  release_and_set('stage', math.max(s.stage, due), 'noted', math.max(s.noted, open, 1), 'noted_at', at)
elseif due == 5 then
  release_and_set('noted', math.max(s.noted, open), 'noted_at', at)
elseif due == 3 and s.active == 1 then
  release_and_set('active', 0, 'closing', 0, 'stage', 3, 'resolved', at)
elseif due == 4 then
  redis.call('SREM', INCIDENTS, breaker)
  release_and_set('stage', 4, 'sent', 0)
else
  release_and_set()
end
return 1
