-- Ids that the stream holds since the first try of a publish whose reply was lost.
local function stored_since(stream, since)
  local stored = {}
  local from = since
  while true do
    local rows = redis.call('XRANGE', stream, from, '+', 'COUNT', 1000)
    for _, row in ipairs(rows) do
      local fields = row[2]
      for i = 1, #fields, 2 do
        if fields[i] == 'ce' then
          local id = string.match(fields[i + 1], '^%["(.-)"')
          if id then stored[id] = row[1] end
        end
      end
    end
    if #rows < 1000 then return stored end
    from = '(' .. rows[#rows][1]
  end
end

-- Appends events, each on its own. `lengths` has for each event the bytes of its ce and of its data (0 = no payload),
-- and `texts` all of them in a row: one long argument travels at a fraction of the cost of a thousand short ones.
-- Returns the milliseconds of the ids, and a list of index (from 0), message for each that failed.
local function append(stream, lengths, texts, since)
  local stored = since ~= '' and stored_since(stream, since) or nil
  local ms, failures = '0', {}
  local at, index = 1, 0
  for ce_length, data_length in string.gmatch(lengths, '(%d+) (%d+)') do
    local ce = string.sub(texts, at, at + ce_length - 1)
    at = at + ce_length
    local data = string.sub(texts, at, at + data_length - 1)
    at = at + data_length
    local id = stored and stored[string.match(ce, '^%["(.-)"') or '']
    if not id then
      if data == '' then id = redis.pcall('XADD', stream, '*', 'ce', ce)
      else id = redis.pcall('XADD', stream, '*', 'ce', ce, 'data', data) end
    end
    if type(id) == 'table' then
      failures[#failures + 1] = index
      failures[#failures + 1] = id.err
    else
      ms = string.match(id, '^(%d+)')
    end
    index = index + 1
  end
  return ms, failures
end
