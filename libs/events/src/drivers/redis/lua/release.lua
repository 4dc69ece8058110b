-- Gives pending entries back, uncounted, so that another member can claim them at once.
-- NUMKEYS: 1
-- KEYS[1] stream of the entries
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] idle time to pretend, ms
-- ARGV[4] channel to wake
-- ARGV[5] message to wake with
-- ARGV[6..] ids
-- Returns how many were given back
--- include: owner
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local released = 0
for i = 6, #ARGV do
  local mine, deliveries = owns(stream, group, consumer, ARGV[i])
  if mine then
    redis.call('XCLAIM', stream, group, consumer, 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', math.max(deliveries - 1, 0), 'JUSTID')
    released = released + 1
  end
end
if released > 0 then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return released
