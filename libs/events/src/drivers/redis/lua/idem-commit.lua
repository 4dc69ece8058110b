-- Marks a key as done, also where the own claim has run out, but not over somebody else's claim or outcome.
-- NUMKEYS: 1
-- KEYS[1] the claim
-- ARGV[1] owner
-- ARGV[2] 'd', or 'd:' and the outcome
-- ARGV[3] how long that is kept, ms
-- Returns 1, or 0 where somebody else has it, or it is done already
local held = redis.call('GET', KEYS[1])
if held and held ~= 'c:' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
