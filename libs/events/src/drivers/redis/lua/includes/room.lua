-- Order of two stream ids.
local function before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_seq) < tonumber(b_seq)
end

-- The id below which every group has read and settled: what comes before it may go.
-- Groups named in `ignored` (a set) do not hold it. nil when no group holds anything.
local function read_floor(stream, ignored)
  local floor = nil
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    if not (ignored and ignored[group['name']]) then
      local id = group['last-delivered-id']
      if group['pending'] > 0 then
        local oldest = redis.call('XPENDING', stream, group['name'])[2]
        if oldest and before(oldest, id) then id = oldest end
      end
      if floor == nil or before(id, floor) then floor = id end
    end
  end
  return floor
end

-- Removes what comes before an id, and notes in the stream up to where: XTRIM alone leaves no trace, and a reader that
-- lags could not tell that it has missed something. Returns how many entries went.
local function trim_to(stream, boundary)
  if boundary == '0-0' then return 0 end
  local last = redis.call('XREVRANGE', stream, '(' .. boundary, '-', 'COUNT', 1)[1]
  if not last then return 0 end
  local count = redis.call('XTRIM', stream, 'MINID', '=', boundary)
  local info, raw = {}, redis.call('XINFO', 'STREAM', stream)
  for i = 1, #raw, 2 do info[raw[i]] = raw[i + 1] end
  redis.call('XSETID', stream, info['last-generated-id'], 'ENTRIESADDED', info['entries-added'], 'MAXDELETEDID', last[1])
  return count
end

-- The id of the entry that would be first if `count` went.
local function id_after(stream, count)
  local rows = redis.call('XRANGE', stream, '-', '+', 'COUNT', count + 1)
  if #rows > count then return rows[#rows][1] end
  if #rows == 0 then return nil end
  local ms, seq = string.match(rows[#rows][1], '^(%d+)-(%d+)$')
  return ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
end
