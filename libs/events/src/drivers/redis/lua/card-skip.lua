-- Moves the head of a card that nobody holds to the dead letters; what follows is ready.
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
-- ARGV[4] mode of the event
-- ARGV[5] error of the letter where the head has none of its own
-- Returns 1; 0 where the card is held, or has no events; -1 where the head has more fields than a script can copy; an error
-- where its key is no stream
--- include: card-attempts
--- include: card-hand
--- include: card-letter
--- include: card-wake
local topic, card, stream = ARGV[1], ARGV[2], KEYS[10]
if is_live(redis.call('HGET', OWN, card), redis.call('ZSCORE', EXP, card)) then return 0 end
local entries, failure = hand(stream, group_of(topic, card), 1)
if not entries then return { err = failure } end
if #entries == 0 then return 0 end
local id = entries[1][1]
local attempts = attempts_of(card, id)
local why = attempts[ERROR] == '' and ARGV[5] or attempts[ERROR]
local row = { 'skipped', '', whole(attempts[FAILURES] + attempts[CRASHES]), why, '' }
if bury(stream, topic, card, id, ARGV[4], row, '', '') then return -1 end
redis.call('ZREM', BLK, card)
redis.call('HDEL', OWN, card)
redis.call('ZREM', EXP, card)
if redis.call('XLEN', stream) > 0 then announce(ARGV[3], topic, wake({ card }))
elseif is_leaving(card) then destroy(card, stream)
else redis.call('ZREM', RDY, card) end
return 1
