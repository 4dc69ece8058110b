-- True while the entry is pending for this consumer. Redis itself lets anybody settle anything. Without the stream or the
-- group nothing is anybody's.
local function owns(stream, group, consumer, id)
  local rows = redis.pcall('XPENDING', stream, group, id, id, 1)
  local row = not rows.err and rows[1]
  if not row then return false, 0 end
  return row[2] == consumer, row[4]
end
