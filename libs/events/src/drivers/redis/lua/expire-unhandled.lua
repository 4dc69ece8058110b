-- Moves anycast events that nobody has taken within the retention to the dead letters.
-- NUMKEYS: 2
-- KEYS[1] anycast stream of the type
-- KEYS[2] dead letter stream of the type
-- ARGV[1] group
-- ARGV[2] retention, ms
-- ARGV[3] most entries
-- ARGV[4] a consumer that has been silent for this long does not count as taking an entry, ms
-- Returns how many were moved
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0')
local last = '0-0'
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #row, 2 do group[row[i]] = row[i + 1] end
  if group['name'] == ARGV[1] then last = group['last-delivered-id'] end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local oldest = string.format('%.0f', now - tonumber(ARGV[2]))
local function bury(entry)
  local fields = { 'entry', entry[1], 'group', '', 'reason', 'unhandled', 'handler', '', 'attempts', '0',
    'error', 'no live process took it within the retention', 'stack', '', 'at', string.format('%.0f', now) }
  -- More fields than a script can copy are left out.
  for i = 1, math.min(#entry[2], 7000) do fields[#fields + 1] = entry[2][i] end
  redis.call('XADD', KEYS[2], '*', unpack(fields))
end
local moved = 0
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[4], '-', oldest, ARGV[3])) do
  local entry = redis.call('XRANGE', KEYS[1], row[1], row[1])[1]
  if entry then bury(entry) end
  redis.call('XACK', KEYS[1], ARGV[1], row[1])
  moved = moved + 1
end
local rows = redis.call('XRANGE', KEYS[1], '(' .. last, oldest, 'COUNT', ARGV[3])
for _, entry in ipairs(rows) do bury(entry) end
if #rows > 0 then redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], rows[#rows][1]) end
return moved + #rows
