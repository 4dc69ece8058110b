-- True while the entry is pending for this consumer. Redis itself lets anybody settle anything.
local function owns(stream, group, consumer, id)
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  return row ~= nil and row[2] == consumer, row and row[4] or 0
end
