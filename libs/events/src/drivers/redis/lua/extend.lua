-- Renews the claim on entries that are still being handled.
-- NUMKEYS: 1
-- KEYS[1] stream of the entries
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3..] ids
-- Returns the ids that are not pending for this consumer any more
--- include: owner
local lost = {}
for i = 3, #ARGV do
  if owns(KEYS[1], ARGV[1], ARGV[2], ARGV[i]) then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
