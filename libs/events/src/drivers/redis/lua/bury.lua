-- Copies a pending entry to the dead letters, once for each row, and acknowledges it: together.
-- NUMKEYS: 2
-- KEYS[1] stream of the entry
-- KEYS[2] dead letter stream of the type
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] id of the entry
-- ARGV[4] name of the group for people, '' = none
-- ARGV[5..] rows of five: reason, handler ('' = none), attempts, error, stack ('' = none)
-- Returns 'OK', 'BIG' when it has more fields than a script can copy (nothing is done), 'STALE' when the entry is not pending for this consumer, 'LOST' when its body is gone
--- include: owner
local stream, group, consumer, id = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not owns(stream, group, consumer, id) then return 'STALE' end
local entry = redis.call('XRANGE', stream, id, id)[1]
if entry and #entry[2] > 7000 then return 'BIG' end
if entry then
  local time = redis.call('TIME')
  for i = 5, #ARGV, 5 do
    local fields = { 'entry', id, 'group', ARGV[4], 'reason', ARGV[i], 'handler', ARGV[i + 1],
      'attempts', ARGV[i + 2], 'error', ARGV[i + 3], 'stack', ARGV[i + 4], 'at', time[1] .. string.sub(string.format('%06d', time[2]), 1, 3) }
    for _, field in ipairs(entry[2]) do fields[#fields + 1] = field end
    redis.call('XADD', KEYS[2], '*', unpack(fields))
  end
end
redis.call('XACK', stream, group, id)
return entry and 'OK' or 'LOST'
