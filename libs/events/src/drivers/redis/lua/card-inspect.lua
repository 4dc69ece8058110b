-- What is known of cards. Reads only.
-- NUMKEYS: variadic
-- KEYS[1..9] of the topic and tag: reg, rdy, own, exp, blk, att, ep, unr, dlq
-- KEYS[10..] streams of the cards
-- ARGV[1] topic
-- ARGV[2..] cards, in the order of their streams
-- Returns for each card {1 where its stream exists, else 0; events; events that are handed over; the last holder's token, ''
-- = none; when its lease ends, ms, '' = none; since when it is ready, ms, '' = it is not; until when it waits, ms, 'inf' = for
-- ever, '' = it does not; when something last happened to it, ms, '' = it is not registered; attempts of the head, JSON, '' =
-- none; 1 where it is being unregistered, else 0; now, ms}, or {'ERR', message}: its key is no stream
--- include: card
local topic, reply = ARGV[1], {}
for i = 2, #ARGV do
  local card, stream = ARGV[i], KEYS[KEPT + i - 1]
  local count, failure = length(stream)
  if not count then reply[#reply + 1] = { 'ERR', failure }
  else
    local pending = redis.pcall('XPENDING', stream, group_of(topic, card))
    local score = function(key) return redis.call('ZSCORE', key, card) or '' end
    reply[#reply + 1] = { redis.call('EXISTS', stream), count, pending.err and 0 or pending[1],
      redis.call('HGET', OWN, card) or '', score(EXP), score(RDY), score(BLK), score(REG),
      redis.call('HGET', ATT, card) or '', redis.call('SISMEMBER', UNR, card), whole(now) }
  end
end
return reply
