-- Claims entries that their consumer has been silent about, and reads how often each has been delivered.
-- NUMKEYS: 1
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] silent for at least this long, ms
-- ARGV[4] most entries
-- ARGV[5] cursor of the last call, '0-0' = from the start
-- Returns {next cursor, {id, fields, deliveries} …, ids whose body is gone}
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[5], 'COUNT', ARGV[4])
local rows = {}
for _, entry in ipairs(claimed[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1]
  rows[#rows + 1] = { entry[1], entry[2], pending and pending[4] or 1 }
end
return { claimed[1], rows, claimed[3] or {} }
