-- Removes a consumer that holds nothing: XGROUP DELCONSUMER would drop what is pending for it.
-- NUMKEYS: 1
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- Returns 1 when it is removed
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if pending.err or #pending > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
