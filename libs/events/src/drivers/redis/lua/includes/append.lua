-- How long an id is remembered, ms.
local WINDOW = 600000

-- Walks over events that travel in a row: gives the index (from 0), ce and data of each. `lengths` has for each the bytes of
-- its ce and of its data (0 = no payload): one long argument travels at a fraction of the cost of a thousand short ones.
local function events(lengths, texts)
  local next_lengths = string.gmatch(lengths, '(%d+) (%d+)')
  local index, at = -1, 1
  return function()
    local ce_length, data_length = next_lengths()
    if not ce_length then return nil end
    local data_at = at + ce_length
    local ce = string.sub(texts, at, data_at - 1)
    index, at = index + 1, data_at + data_length
    return index, ce, string.sub(texts, data_at, at - 1)
  end
end

local function id_of(ce) return string.match(ce, '^%["(.-)"') end

-- Event ids that the stream holds since the first try of a publish whose reply was lost, with the milliseconds of each.
local function stored_since(stream, since)
  local stored = {}
  local from = since
  while true do
    local rows = redis.call('XRANGE', stream, from, '+', 'COUNT', 1000)
    for _, row in ipairs(rows) do
      local fields = row[2]
      for i = 1, #fields, 2 do
        if fields[i] == 'ce' then
          local id = id_of(fields[i + 1])
          if id then stored[id] = tonumber(string.match(row[1], '^(%d+)')) end
        end
      end
    end
    if #rows < 1000 then return stored end
    from = '(' .. rows[#rows][1]
  end
end

-- What the batch is stored with: the events that are there already (index -> milliseconds), how many those are, and what
-- is noted of those to be stored once. `since` is '' or, on a resend, the id since which events may be there; `once` the
-- indexes of those that count as stored when their id is in the sorted set `ids`. Reads only.
local function known(stream, ids, lengths, texts, since, once)
  local found, count = {}, 0
  if since == '' and once == '' then return found, count, nil end
  local stored = since ~= '' and stored_since(stream, since) or {}
  local time = redis.call('TIME')
  local notes = { key = ids, now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), once = {} }
  for index in string.gmatch(once, '%d+') do notes.once[tonumber(index)] = true end
  for index, ce in events(lengths, texts) do
    local id = id_of(ce) or ''
    local ms = stored[id]
    if not ms and notes.once[index] then
      ms = tonumber(redis.call('ZSCORE', ids, id) or nil)
      if ms and ms <= notes.now - WINDOW then ms = nil end
    end
    if ms then
      found[index] = ms
      count = count + 1
    end
  end
  return found, count, once ~= '' and notes or nil
end

-- Remembers ids that were stored, and forgets old ones: more than come, so that they do not pile up.
local function note(notes, stored)
  if #stored == 0 then return end
  redis.call('ZADD', notes.key, unpack(stored))
  redis.call('PEXPIRE', notes.key, WINDOW)
  local edge = string.format('%.0f', notes.now - WINDOW)
  local old = redis.call('ZRANGEBYSCORE', notes.key, '-inf', edge, 'LIMIT', 0, #stored + 10)
  if #old > 0 then redis.call('ZREM', notes.key, unpack(old)) end
end

-- Appends the events of a batch that are not known, each on its own. Returns the milliseconds of the ids, how many were
-- appended, and a list of index, then: the message for one that failed, the milliseconds for one that was there before.
-- Raises what will pass (a replica that is about to be the master, say): it concerns all of them.
local function append(stream, lengths, texts, found, notes)
  local ms, appended, others, stored, fresh = '0', 0, {}, {}, {}
  for index, ce, data in events(lengths, texts) do
    local once = notes and notes.once[index] and id_of(ce)
    local earlier = found[index] or once and fresh[once]
    local failure = nil
    if not earlier then
      local id
      if data == '' then id = redis.pcall('XADD', stream, '*', 'ce', ce)
      else id = redis.pcall('XADD', stream, '*', 'ce', ce, 'data', data) end
      if type(id) == 'table' then
        failure = id.err
        if string.find(failure, '^READONLY') or string.find(failure, '^NOREPLICAS') then error(id) end
      else
        appended = appended + 1
        ms = string.match(id, '^(%d+)')
        if once then
          fresh[once] = notes.now
          stored[#stored + 1] = notes.now
          stored[#stored + 1] = once
        end
      end
    end
    if earlier or failure then
      others[#others + 1] = index
      others[#others + 1] = earlier or failure
    end
  end
  if notes then note(notes, stored) end
  return ms, appended, others
end
