-- Unregisters a card: when what waits has been handled, or at once.
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
-- ARGV[3] 'drain' (its events are handled first) or 'drop' (they go, and its holder has lost it)
-- ARGV[4] 1: other programs are told
-- Returns how many events were dropped; an error where its key is no stream. Nothing happens for a card that is not known
--- include: card-wake
local topic, card, stream = ARGV[1], ARGV[2], KEYS[10]
local count, failure = length(stream)
if not count then return { err = failure } end
if not redis.call('ZSCORE', REG, card) and redis.call('EXISTS', stream) == 0 then return 0 end
local dropped = 0
local held = is_live(redis.call('HGET', OWN, card), redis.call('ZSCORE', EXP, card))
if ARGV[3] == 'drop' then
  dropped = count
  destroy(card, stream)
elseif count == 0 and not held then
  destroy(card, stream)
else
  redis.call('ZADD', REG, 'NX', whole(now), card)
  redis.call('SADD', UNR, card)
  -- It may be that nobody was told of its events.
  if count > 0 then wake({ card }) end
end
if ARGV[4] == '1' then redis.call('PUBLISH', 'group_change', 'unregister:' .. group_of(topic, card)) end
return dropped
