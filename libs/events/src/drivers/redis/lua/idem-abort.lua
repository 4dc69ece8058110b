-- Gives an own claim up, so that whoever comes next may have it at once.
-- NUMKEYS: 1
-- KEYS[1] the claim
-- ARGV[1] owner
-- Returns 1, or 0 where it is not held by this owner
if redis.call('GET', KEYS[1]) ~= 'c:' .. ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
