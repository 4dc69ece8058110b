-- What a redelivery says of itself, the value of its first field `re`: handler ('' = any), attempt, failures, since when
-- it waits for its handler (ms), id of the original entry, operation, mode of the event, deaths of consumers that this
-- attempt has behind it, and how many of them while it was handled alone.
local function redo_mark(handler, attempt, failures, since, head, deaths, alone)
  return cjson.encode({ handler, attempt, failures, since, head.entry, head.operation, head.mode, deaths, alone })
end

-- The fields of the original entry.
local function without_mark(fields)
  if fields[1] ~= 're' then return fields end
  return { unpack(fields, 3) }
end

-- Adds redeliveries' fields to their stream, which its group reads from the start.
local function hand_over(redo, group, fields)
  if redis.call('EXISTS', redo) == 0 then redis.call('XGROUP', 'CREATE', redo, group, '0', 'MKSTREAM') end
  redis.call('XADD', redo, '*', unpack(fields))
end

-- Milliseconds until the first of those that wait is due, as text; '' = none waits.
local function next_due(wait, now)
  local first = redis.call('ZRANGE', wait, 0, 0, 'WITHSCORES')
  return first[2] and string.format('%.0f', math.max(0, tonumber(first[2]) - now)) or ''
end
