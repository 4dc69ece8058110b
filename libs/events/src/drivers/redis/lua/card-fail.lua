-- Settles the failure of a card's head.
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
-- ARGV[3] token
-- ARGV[4] lease, ms
-- ARGV[5] id of the entry
-- ARGV[6] 'retry', 'park' or 'dead'
-- 'retry': ARGV[7] delay, ms; ARGV[8] 1: the attempt counts; ARGV[9] error
-- 'park': ARGV[7] error; ARGV[8] attempts behind it, crashes among them
-- 'dead': ARGV[7] mode 'keep', 'next' or 'yield' as card-ack.lua; ARGV[8] most entries; ARGV[9] mode of the event; ARGV[10]
-- reason; ARGV[11] handler ('' = none); ARGV[12] attempts; ARGV[13] error; ARGV[14] stack ('' = none); ARGV[15] ce and
-- ARGV[16] data for where the body of the entry is gone ('' = not given; no payload)
-- Returns 'STALE': the token is not that of the holder, nothing was done; 'ENDED': the card waits, held no more; of 'dead'
-- also 'BIG': the entry has more fields than a script can copy, and 'LOST': its body is gone and was not given (nothing was
-- done), else what card-ack.lua says of a card. 'dead' may be repeated: what has been settled is not filed again
--- include: card-proceed
--- include: card-letter
local topic, card, token, lease, id, what = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local stream, group = KEYS[10], group_of(topic, card)
if redis.call('HGET', OWN, card) ~= token then return 'STALE' end

if what ~= 'dead' then
  local row = attempts_of(card, id)
  row[NOTED] = 0
  if what == 'retry' then
    row[FAILURES] = row[FAILURES] + tonumber(ARGV[8])
    row[ERROR] = ARGV[9]
    redis.call('ZADD', BLK, whole(now + tonumber(ARGV[7])), card)
  else
    row[FAILURES] = math.max(row[FAILURES], tonumber(ARGV[8]) - row[CRASHES])
    row[ERROR] = ARGV[7]
    redis.call('ZADD', BLK, '+inf', card)
  end
  keep_attempts(card, row)
  let_go(card)
  later('ZREM', RDY, card)
  commit()
  return 'ENDED'
end

local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
if pending[1] then
  local row = { ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14] }
  local refusal = bury(stream, topic, card, id, ARGV[9], row, ARGV[15], ARGV[16])
  if refusal then return refusal end
end
local reply = proceed(card, stream, topic, ARGV[7], tonumber(ARGV[8]), lease, true)
commit()
return reply
