-- Moves anycast events that nobody has taken within the retention to the dead letters.
-- NUMKEYS: 2
-- KEYS[1] anycast stream of the type, or the stream of its anycast redeliveries
-- KEYS[2] dead letter stream of the type
-- ARGV[1] group
-- ARGV[2] retention, ms
-- ARGV[3] most entries
-- ARGV[4] a consumer that has been silent for this long does not count as taking an entry, ms
-- ARGV[5] 'r': redeliveries, which are deleted; '': entries that stay
-- Returns how many were moved
--- include: now
--- include: letter
--- include: redo
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return 0 end
redis.pcall('XGROUP', 'CREATE', stream, ARGV[1], '0')
local last = '0-0'
for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = {}
  for i = 1, #row, 2 do group[row[i]] = row[i + 1] end
  if group['name'] == ARGV[1] then last = group['last-delivered-id'] end
end
local now = now_ms()
local oldest = whole(now - tonumber(ARGV[2]))
local function bury(entry)
  -- More fields than a script can copy are left out.
  local fields, mark = { unpack(entry[2], 1, math.min(#entry[2], MOST_FIELDS)) }, {}
  if ARGV[5] == 'r' and fields[1] == 're' then
    local read, said = pcall(cjson.decode, fields[2])
    if read and type(said) == 'table' then mark = said end
    fields = without_mark(fields)
  end
  local head = { entry = mark[5] or entry[1], group = '', mode = mark[7] or 'anycast', operation = mark[6] or '', at = whole(now) }
  local row = { 'unhandled', mark[1] or '', whole(tonumber(mark[3]) or 0), 'no live process took it within the retention', '' }
  file_letter(KEYS[2], head, row, fields)
  if ARGV[5] == 'r' then redis.call('XDEL', stream, entry[1]) end
end
local moved = 0
for _, row in ipairs(redis.call('XPENDING', stream, ARGV[1], 'IDLE', ARGV[4], '-', oldest, ARGV[3])) do
  local entry = redis.call('XRANGE', stream, row[1], row[1])[1]
  if entry then bury(entry) end
  redis.call('XACK', stream, ARGV[1], row[1])
  moved = moved + 1
end
local rows = redis.call('XRANGE', stream, '(' .. last, oldest, 'COUNT', ARGV[3])
for _, entry in ipairs(rows) do bury(entry) end
if #rows > 0 then redis.call('XGROUP', 'SETID', stream, ARGV[1], rows[#rows][1]) end
return moved + #rows
