-- Around the body of each script. A body is a function of the server's time in milliseconds; ARGV[1] replaces it, for tests. If it fails
-- because a key has a value of another type, the response names that key; a body reads a text key before it writes it, so that no
-- foreign value is overwritten.
local function server_time()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local ok, response = pcall(body, tonumber(ARGV[1]) or server_time())
if ok then return response end
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= TYPES[i] then return redis.error_reply('FOREIGN ' .. key) end
end
return type(response) == 'table' and response or redis.error_reply(response)
