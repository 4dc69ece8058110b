-- Looks at cards for what notifications have missed: those with events become ready, those that are idle go.
-- NUMKEYS: variadic
-- KEYS[1..9] of the topic and tag: reg, rdy, own, exp, blk, att, ep, unr, dlq
-- KEYS[10..] streams of the cards
-- ARGV[1] how long a card without events keeps its stream, ms; 0 = no card goes
-- ARGV[2] how long it stays registered, ms
-- ARGV[3] channel to tell what is ready; '' = nobody is told
-- ARGV[4] topic
-- ARGV[5..] cards, in the order of their streams
-- Returns {how many have become ready, how many streams went, cards that have become ready…}. Never creates a stream; a key
-- that is no stream is passed over
--- include: card-wake
local idle_after, registered_for, topic = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4]
local cards = {}
for i = 5, #ARGV do cards[#cards + 1] = ARGV[i] end
if #cards == 0 then return { 0, 0 } end
local since, tokens, ends = over('ZMSCORE', REG, cards), over('HMGET', OWN, cards), over('ZMSCORE', EXP, cards)
local filled, reaped = {}, 0
for i, card in ipairs(cards) do
  local stream = KEYS[KEPT + i]
  local count = length(stream)
  local held = is_live(tokens[i], ends[i])
  if count and count > 0 then
    if not since[i] then later('ZADD', REG, whole(now), card) end
    filled[#filled + 1] = card
  elseif count and not held and is_leaving(card) then
    destroy(card, stream)
    reaped = reaped + 1
  elseif count and not held and since[i] then
    local idle = now - tonumber(since[i])
    if idle_after > 0 and idle >= idle_after then
      local gone = redis.call('DEL', stream)
      reaped = reaped + gone
      if gone == 1 or idle >= registered_for then
        for _, key in ipairs({ RDY, BLK, EXP }) do later('ZREM', key, card) end
        for _, key in ipairs({ OWN, ATT }) do later('HDEL', key, card) end
      end
      if idle >= registered_for then later('ZREM', REG, card) end
    end
  elseif count and not held and redis.call('EXISTS', stream) == 1 then
    -- Somebody's, and empty: registered, so that it is seen when it is idle for long.
    later('ZADD', REG, whole(now), card)
  end
end
commit()
local woken = wake(filled)
announce(ARGV[3], topic, woken)
local reply = { #woken, reaped }
for _, card in ipairs(woken) do reply[#reply + 1] = card end
return reply
