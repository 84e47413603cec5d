-- One report on one breaker: the rule of `tripline_core::fleet::merge`, in one atomic step.
-- KEYS: members, incidents, born, open, unwell, incident, probing. ARGV: see below. Returns the fields of a view.
local MEMBERS, INCIDENTS, BORN, OPEN, UNWELL, INCIDENT, PROBING = unpack(KEYS)
local breaker, replica, cause = ARGV[2], ARGV[3], ARGV[4]
local n = {}
for i = 5, #ARGV do n[i - 4] = tonumber(ARGV[i]) end
local r_open, r_unwell, can_deliver = n[1] == 1, n[2], n[3] == 1
local k_epoch, k_active, k_kind, k_stage, k_sent, k_age = n[4], n[5] == 1, n[6], n[7], n[8], n[9]
local paged, paged_confirmed, has_closed, closed_age = n[10], n[11], n[12] == 1, n[13]
local ttl, gather, grace, settle, hold, lease = n[14], n[15], n[16], n[17], n[18], n[19]
local escalate_after, cooldown, millionths, page_at = n[20], n[21], n[22] == 1, n[23]
local probe, probe_millionths, probe_grant, probe_lease = n[24], n[25], n[26], n[27]
local forget, expire = n[28], n[29]

local function before(at, span) return math.max(at - span, 0) end
local function union(a, b) return bit.bor(a, b) end
local function gravest(kinds)
  for kind = 3, 1, -1 do
    if bit.band(kinds, bit.lshift(1, kind)) ~= 0 then return kind end
  end
  return 0
end

-- One call of twelve extends the lifetime of the keys, as the call does that creates one.
local extends = now % 12 == 0
local function keep(key, is_new)
  if is_new or extends then redis.call('EXPIRE', key, expire) end
end

-- The members.
keep(MEMBERS, redis.call('ZADD', MEMBERS, now, replica) == 1)
redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', '(' .. before(now, forget))
redis.call('ZREMRANGEBYSCORE', MEMBERS, '(' .. now, '+inf')
local members = redis.call('ZCARD', MEMBERS)
local born = tonumber(redis.call('GET', BORN) or '')
if not born or born > now then
  born = now
  redis.call('SET', BORN, now)
  keep(BORN, true)
end
keep(BORN, false)

-- The incident. Numbers of 0 stand for what is not set.
local NAMES = {'epoch', 'before', 'active', 'closing', 'kind', 'stage', 'sent', 'started', 'created_kind', 'created',
  'empty', 'resolved', 'noted', 'noted_at', 'till', 'fence', 'latest',
  -- Texts from here on.
  'first', 'cause', 'by'}
local NUMBERS = #NAMES - 3
local s, stored = {}, {}
for i, text in ipairs(redis.call('HMGET', INCIDENT, unpack(NAMES))) do
  local value = text or ''
  if i <= NUMBERS then value = tonumber(value) or 0 end
  s[NAMES[i]], stored[NAMES[i]] = value, value
end

-- A clock that was set back: nothing lies ahead of it any more.
if now + 1000 < s.latest then
  for _, name in ipairs({'started', 'resolved', 'noted_at', 'created', 'empty'}) do s[name] = math.min(s[name], now) end
  s.till = math.min(s.till, now + lease)
  for _, key in ipairs({OPEN, UNWELL, PROBING}) do redis.call('ZREMRANGEBYSCORE', key, '(' .. now, '+inf') end
end
s.latest = now

local function renumber()
  s.before = s.epoch
  s.epoch = math.max(s.epoch + 1, math.floor(now / 1000))
end
local function begin()
  renumber()
  s.active, s.closing, s.kind, s.stage = 1, 0, 0, 0
  s.started, s.empty, s.noted, s.first, s.cause = now, 0, 0, '', ''
end
local function advance(kind, stage, sent)
  if kind > s.kind or kind == s.kind and stage > s.stage then s.kind, s.stage = kind, stage end
  s.sent = union(s.sent, sent)
end

-- What the replica knows.
if k_epoch > s.epoch then
  s.epoch, s.before, s.active, s.closing = k_epoch, k_epoch, k_active and 1 or 0, 0
  s.kind, s.stage, s.sent, s.started = k_kind, k_stage, k_sent, before(now, k_age)
  s.empty, s.resolved, s.noted, s.first, s.cause = 0, now, 0, '', ''
elseif k_epoch == s.epoch then
  -- An alert that may be open, of which that replica need not know, is closed once more.
  local ended = s.sent == 0 and k_stage or 3
  if s.active == 1 and not k_active then
    s.active, s.closing, s.stage, s.resolved = 0, 0, ended, now
  elseif s.active == 1 then
    advance(k_kind, k_stage, k_sent)
  elseif not k_active then
    s.stage = math.max(s.stage, ended)
  end
  if s.stage == 4 then s.sent = 0 end
elseif k_active and k_epoch > s.before then
  if s.active == 0 or s.closing == 1 then begin() end
  s.before = math.max(s.before, k_epoch)
  advance(k_kind, k_stage, k_sent)
  s.started = math.min(s.started, before(now, k_age))
end

-- How many are open and unwell.
local function count(key, is_member, lasts)
  if is_member then keep(key, redis.call('ZADD', key, now, replica) == 1) else redis.call('ZREM', key, replica) end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. before(now, lasts))
  return redis.call('ZCARD', key)
end
local open, unwell = count(OPEN, r_open, ttl), count(UNWELL, r_unwell > 0, hold)

-- Permission to probe, if there is a budget.
local may_probe = 0
if probe_millionths > 0 then
  redis.call('ZREMRANGEBYSCORE', PROBING, '-inf', '(' .. before(now, probe_lease))
  if probe == 0 then
    redis.call('ZREM', PROBING, replica)
  elseif probe == 2 then
    redis.call('ZADD', PROBING, now, replica)
  elseif redis.call('ZSCORE', PROBING, replica) then
    may_probe = 1
  elseif redis.call('ZCARD', PROBING) < math.max(math.floor(members * probe_millionths / 1000000), 1) then
    redis.call('ZADD', PROBING, before(now, math.max(probe_lease - probe_grant, 0)), replica)
    may_probe = 1
  end
  keep(PROBING, true)
end

-- A replica closed its alert without the engine, which ended the page of the fleet too.
if has_closed and not (s.active == 1 and s.closing == 1) then
  local may_be_paged = s.active == 1 and (s.stage > 0 or s.by ~= '' and now < s.till)
  local closed_until = before(now, closed_age) + lease
  local is_page_newer = s.created_kind > 0 and s.created_kind == s.kind and s.created > closed_until
  if may_be_paged and not is_page_newer then
    begin()
    s.created_kind, s.created = 0, 0
  else
    renumber()
    if s.active == 0 and s.stage == 0 then s.stage = 4 end
  end
  s.before = s.epoch
end

-- What was paged alone, and what is unwell.
if gravest(paged) > 0 then
  -- Whether no close was sent since the replica learned what it knows.
  local was_over = k_epoch == 0 or k_stage == 4
  local unclosed
  if s.active == 1 then
    local followed = k_active and s.epoch or s.before
    unclosed = s.closing == 0 and (k_active or was_over) and k_epoch == followed
  else
    unclosed = not k_active and was_over and k_epoch == s.epoch
  end
  if s.active == 0 or s.closing == 1 then begin() end
  advance(gravest(paged), unclosed and paged_confirmed or 0, paged)
end
if r_unwell > 0 then
  if s.active == 0 or s.closing == 1 then begin() end
  if r_unwell > s.kind then s.kind, s.stage = r_unwell, 0 end
  if s.first == '' then s.first, s.cause = replica, cause end
end
if unwell > 0 then s.empty = 0 elseif s.empty == 0 then s.empty = now end
if s.noted == 0 and s.stage > 0 then s.noted, s.noted_at = open, now end
if s.active == 1 and s.empty > 0 and now >= s.empty + settle and s.sent == 0 then s.active, s.stage = 0, 4 end

-- What is due.
local needed = page_at
if millionths then needed = math.floor((members * page_at + 999999) / 1000000) end
needed = math.max(needed, 1)
local function page_time()
  local cooled = 0
  if s.created > 0 and s.created_kind == s.kind and s.created < s.started then cooled = s.created + cooldown end
  return math.max(s.started + gather, born + grace, cooled)
end
local escalates = escalate_after > 0 and (open > 0 or s.kind ~= 3)
local function due_stage()
  if s.active == 0 then return s.stage == 3 and now >= s.resolved + lease and 4 or 0 end
  if s.empty > 0 then return now >= s.empty + settle and s.sent > 0 and 3 or 0 end
  if s.stage == 0 then return unwell >= needed and now >= page_time() and 1 or 0 end
  if s.stage ~= 2 and escalates and now >= s.started + escalate_after then return 2 end
  return s.noted > 0 and open >= s.noted * 2 and now >= s.noted_at + settle and 5 or 0
end

-- The claim.
if not can_deliver and s.by == replica then s.by, s.till = '', 0 end
local due = due_stage()
local kind = s.kind > 0 and s.kind or gravest(s.sent)
-- An alert of this kind may not have been sent, where the incident ends before its page.
if (due == 3 or due == 4) and s.sent > 0 and bit.band(s.sent, bit.lshift(1, kind)) == 0 then kind = gravest(s.sent) end
local claim = 0
if due > 0 and kind > 0 and can_deliver and (s.by == '' or now >= s.till) then
  s.by, s.till, s.fence, claim = replica, now + lease, s.fence + 1, due
  if due == 1 then
    s.sent, s.created_kind, s.created = union(s.sent, bit.lshift(1, kind)), kind, now
  elseif due == 3 then
    s.closing = 1
  end
end

-- When something is next due.
local next_due = -1
if due_stage() > 0 then
  next_due = s.till
elseif s.active == 0 then
  if s.stage == 3 then next_due = s.resolved + lease end
elseif s.empty > 0 then
  next_due = s.empty + settle
elseif s.stage == 0 then
  if unwell >= needed then next_due = page_time() end
elseif s.stage == 1 and escalates then
  next_due = s.started + escalate_after
end

local changed = {}
for i, name in ipairs(NAMES) do
  local value = s[name]
  if value ~= stored[name] then
    changed[#changed + 1] = name
    changed[#changed + 1] = i <= NUMBERS and string.format('%.0f', value) or value
  end
end
if #changed > 0 then keep(INCIDENT, redis.call('HSET', INCIDENT, unpack(changed)) > 0) end
if s.active == 1 or s.stage == 3 then
  keep(INCIDENTS, redis.call('SADD', INCIDENTS, breaker) == 1)
else
  redis.call('SREM', INCIDENTS, breaker)
end
return {s.epoch, s.active, s.kind, s.stage, s.sent, before(now, s.started), open, unwell, members,
  next_due < 0 and -1 or before(next_due, now), claim, s.fence, kind, s.first, s.cause,
  may_probe}
