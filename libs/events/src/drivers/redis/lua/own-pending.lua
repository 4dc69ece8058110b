-- Reads what is pending for this consumer, without counting it as delivered again (XREADGROUP 0 would).
-- NUMKEYS: 1
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] most entries
-- Returns {id, fields (absent: the body is gone), deliveries} …
local rows = {}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])) do
  local entry = redis.call('XRANGE', KEYS[1], pending[1], pending[1])[1]
  rows[#rows + 1] = { pending[1], entry and entry[2] or false, pending[4] }
end
return rows
