-- Moves retries that are due to the stream that their group reads.
-- NUMKEYS: 2
-- KEYS[1] sorted set of the group's retries that wait, by when they are due
-- KEYS[2] redelivery stream of the group
-- ARGV[1] stream group
-- ARGV[2] most rows
-- ARGV[3] channel to wake
-- ARGV[4] message to wake with
-- Returns {how many were moved, milliseconds until the next is due ('' = none), redeliveries that have not ended}
--- include: now
--- include: redo
local wait, redo = KEYS[1], KEYS[2]
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', wait, '-inf', whole(now), 'LIMIT', 0, ARGV[2])
for _, member in ipairs(due) do
  local read, row = pcall(cmsgpack.unpack, member)
  if read and type(row) == 'table' and #row > 2 then hand_over(redo, ARGV[1], { unpack(row, 2) })
  -- What cannot be read becomes a dead letter there: it must not keep the others waiting, nor be gone without a word.
  else hand_over(redo, ARGV[1], { 're', '[]', 'ce', member }) end
  redis.call('ZREM', wait, member)
end
if #due > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return { #due, next_due(wait, now), redis.call('XLEN', redo) }
