-- Notes that a card's head is about to be handled alone, because its holders have died with it. Called twice by one holder,
-- or again after an orderly return, it counts once.
-- NUMKEYS: 9
-- KEYS[1] reg
-- KEYS[2] rdy
-- KEYS[3] own
-- KEYS[4] exp
-- KEYS[5] blk
-- KEYS[6] att
-- KEYS[7] ep
-- KEYS[8] unr
-- KEYS[9] dlq
-- ARGV[1] card
-- ARGV[2] token
-- ARGV[3] id of the entry
-- Returns how many holders have died with it while it was handled alone; 'STALE' where the token is not that of the holder
--- include: card-attempts
local card = ARGV[1]
if redis.call('HGET', OWN, card) ~= ARGV[2] then return 'STALE' end
local row = attempts_of(card, ARGV[3])
row[NOTED] = 1
keep_attempts(card, row)
return row[ALONE]
