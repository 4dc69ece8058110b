-- Renews an own claim.
-- NUMKEYS: 1
-- KEYS[1] the claim
-- ARGV[1] owner
-- ARGV[2] how long it lasts from now, ms
-- Returns 1, or 0 where it is lost
if redis.call('GET', KEYS[1]) ~= 'c:' .. ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
