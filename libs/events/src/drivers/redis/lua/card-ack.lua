-- Acknowledges events of cards, deletes them, and goes on as their holders say. Safe to repeat: 'next' hands over what is
-- pending first.
-- NUMKEYS: variadic
-- KEYS[1..9] of the topic and tag: reg, rdy, own, exp, blk, att, ep, unr, dlq
-- KEYS[10..] streams of the cards, each once
-- ARGV[1] topic
-- ARGV[2] lease, ms
-- ARGV[3] channel to tell what is ready
-- ARGV[4..] for each card, in the order of the streams: card, token, mode, most entries, 1: forget the attempts of the head,
-- how many ids, ids. Modes: 'keep'; 'next' (hands over what follows); 'yield' (to the end of those that wait); 'release' (to
-- others at once)
-- Returns for each card one of: 'STALE': the token is not that of its holder, nothing was done; 'KEPT'; {'OK', again, lost,
-- attempts, entries} as card-take.lua; 'EMPTY' or {'EMPTY', lost}: no events, and held no more; 'ENDED': held no more;
-- {'ERR', message}: its key is no stream, say, and it is held no more
--- include: card-proceed
local topic, lease = ARGV[1], tonumber(ARGV[2])
local rows, cards, at = {}, {}, 4
while at <= #ARGV do
  rows[#rows + 1] = at
  cards[#cards + 1] = ARGV[at]
  at = at + 6 + tonumber(ARGV[at + 5])
end
if #cards == 0 then return {} end

-- Removes entries for good: nil, or an error.
local function settle(stream, group, from, count)
  for first = from, from + count - 1, PIECE do
    local ids = { unpack(ARGV, first, math.min(first + PIECE, from + count) - 1) }
    local acked = redis.pcall('XACK', stream, group, unpack(ids))
    if type(acked) == 'table' then return acked.err end
    redis.call('XDEL', stream, unpack(ids))
  end
end

local tokens, reply = over('HMGET', OWN, cards), {}
for i, card in ipairs(cards) do
  local row, stream = rows[i], KEYS[KEPT + i]
  if tokens[i] ~= ARGV[row + 1] then reply[i] = 'STALE'
  else
    local count = tonumber(ARGV[row + 5])
    local failure = settle(stream, group_of(topic, card), row + 6, count)
    if ARGV[row + 4] == '1' then later('HDEL', ATT, card) end
    reply[i] = failure and fail(card, failure)
      or proceed(card, stream, topic, ARGV[row + 2], tonumber(ARGV[row + 3]), lease, count > 0)
  end
end
commit()
announce(ARGV[3], topic, released)
return reply
