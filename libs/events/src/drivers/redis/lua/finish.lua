-- Ends deliveries that succeeded and leave something to clear away: redeliveries, and what was handled alone.
-- NUMKEYS: 2
-- KEYS[1] stream of the entries
-- KEYS[2] hash of the group's entries that were handled alone
-- ARGV[1] stream group
-- ARGV[2] 'r': redeliveries, which are deleted; '': entries that stay
-- ARGV[3..] ids
-- Returns how many were pending
local finished = 0
for i = 3, #ARGV do
  finished = finished + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if ARGV[2] == 'r' then redis.call('XDEL', KEYS[1], ARGV[i]) end
  redis.call('HDEL', KEYS[2], ARGV[2] .. ARGV[i])
end
return finished
