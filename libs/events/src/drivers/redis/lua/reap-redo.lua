-- Deletes what is left of a group's redeliveries when none is outstanding.
-- NUMKEYS: 3
-- KEYS[1] redelivery stream of the group
-- KEYS[2] sorted set of the group's retries that wait
-- KEYS[3] hash of the group's entries that were handled alone
-- Returns 1 when it is gone, 0 when something is outstanding
if redis.call('XLEN', KEYS[1]) > 0 or redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
return 1
