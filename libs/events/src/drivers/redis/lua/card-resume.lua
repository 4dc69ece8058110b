-- Ends the wait of a card: its head is tried again, and its attempts begin again.
-- NUMKEYS: 10
-- KEYS[1] reg
-- KEYS[2] rdy
-- KEYS[3] own
-- KEYS[4] exp
-- KEYS[5] blk
-- KEYS[6] att
-- KEYS[7] ep
-- KEYS[8] unr
-- KEYS[9] dlq
-- KEYS[10] stream of the card
-- ARGV[1] topic
-- ARGV[2] card
-- ARGV[3] channel to tell what is ready
-- Returns 1; 0 where the card does not wait; an error where its key is no stream
--- include: card-wake
local topic, card, stream = ARGV[1], ARGV[2], KEYS[10]
local count, failure = length(stream)
if not count then return { err = failure } end
if redis.call('ZREM', BLK, card) == 0 then return 0 end
redis.call('HDEL', ATT, card)
if count > 0 then announce(ARGV[3], topic, wake({ card }))
elseif is_leaving(card) then destroy(card, stream) end
return 1
