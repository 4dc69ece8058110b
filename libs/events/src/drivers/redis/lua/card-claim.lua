-- Claims the cards that have waited longest, those of dead holders first. What they have is read with card-ack.lua ('next',
-- no ids).
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
-- ARGV[1] owner
-- ARGV[2] lease, ms
-- ARGV[3] most cards
-- ARGV[4] most cards that are made ready because their wait or their holder's lease has ended, of each kind
-- Returns {milliseconds until the next wait or lease ends ('' = none), cards that are still ready, card, token, card, token…}
--- include: card-grant
local owner, lease, want, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local due = redis.call('ZRANGEBYSCORE', BLK, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #due, 2 do
  later('ZREM', BLK, due[i])
  later('ZADD', RDY, due[i + 1], due[i])
end
local orphans = redis.call('ZRANGEBYSCORE', EXP, '-inf', whole(now), 'LIMIT', 0, most)
for _, card in ipairs(orphans) do
  if redis.call('HDEL', OWN, card) == 1 then note_crash(card) end
  later('ZREM', EXP, card)
end
commit()
for _, card in ipairs(orphans) do later('ZADD', RDY, 0, card) end
commit()

local reply = { '', 0 }
local looks = want + most
while #reply < 2 + 2 * want and looks > 0 do
  local popped = redis.call('ZPOPMIN', RDY, math.min(want - (#reply - 2) / 2, looks, PIECE))
  if #popped == 0 then break end
  local cards = {}
  for i = 1, #popped, 2 do cards[#cards + 1] = popped[i] end
  looks = looks - #cards
  local tokens, ends, blocked = over('HMGET', OWN, cards), over('ZMSCORE', EXP, cards), over('ZMSCORE', BLK, cards)
  for i, card in ipairs(cards) do
    if not blocked[i] and not is_live(tokens[i], ends[i]) then
      local token = grant(card, owner, lease, tokens[i])
      reply[#reply + 1] = card
      reply[#reply + 1] = token
    end
  end
end
commit_grants()

local next_end = math.huge
for _, key in ipairs({ BLK, EXP }) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  next_end = math.min(next_end, tonumber(first[2] or math.huge))
end
if next_end < math.huge then reply[1] = whole(math.max(0, next_end - now)) end
reply[2] = redis.call('ZCARD', RDY)
return reply
