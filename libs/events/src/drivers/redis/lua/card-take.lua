-- Takes cards and reads what they have, in one step: for cards of which this process was told.
-- NUMKEYS: variadic
-- KEYS[1..9] of the topic and tag: reg, rdy, own, exp, blk, att, ep, unr, dlq
-- KEYS[10..] streams of the cards
-- ARGV[1] owner
-- ARGV[2] lease, ms
-- ARGV[3] most entries of a card
-- ARGV[4] topic
-- ARGV[5..] cards, in the order of their streams
-- Returns for each card one of: {'OK', token, again, lost, attempts, entries} ('again' 1: some of the entries, the
-- first among them, have been handed over before, else 0; 'lost': how many were pending and are gone; 'attempts': of the head, JSON, '' =
-- none; an own live lease begins anew, with a new token); 'BUSY': another holds it, or it came before in this call;
-- 'BLOCKED': it waits; 'EMPTY', or {'EMPTY', lost} where some were lost; {'ERR', message}: its key is no stream, say
--- include: card-hand
--- include: card-grant
local owner, lease, n, topic = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local cards = {}
for i = 5, #ARGV do cards[#cards + 1] = ARGV[i] end
if #cards == 0 then return {} end
local tokens, ends, blocked = over('HMGET', OWN, cards), over('ZMSCORE', EXP, cards), over('ZMSCORE', BLK, cards)
local seen = {}

local function let_go(card)
  later('HDEL', OWN, card)
  later('ZREM', EXP, card)
end

local function take(card, stream, token, live, waits)
  local entries, again, lost = hand(stream, group_of(topic, card), n)
  if not entries then
    -- What is no stream is no card. Else nothing is known of its events: it stays, or becomes, what polls look at.
    if string.find(again, '^WRONGTYPE') then later('ZREM', RDY, card)
    else later('ZADD', RDY, whole(now), card) end
    if token then let_go(card) end
    return { 'ERR', again }
  end
  if waits then later('ZREM', BLK, card) end
  later('ZREM', RDY, card)
  if #entries == 0 then
    if token then let_go(card) end
    later('HDEL', ATT, card)
    if is_leaving(card) then destroy(card, stream) end
    return lost > 0 and { 'EMPTY', lost } or 'EMPTY'
  end
  if live then note_return(card) end
  local granted = grant(card, owner, lease, not live and token)
  return { 'OK', granted, again, lost, head_attempts(card, entries[1][1], again), entries }
end

local reply = {}
for i, card in ipairs(cards) do
  local token, live = tokens[i], is_live(tokens[i], ends[i])
  if seen[card] or live and string.match(token, '^(.*)|') ~= owner then reply[i] = 'BUSY'
  elseif blocked[i] and tonumber(blocked[i]) > now then reply[i] = 'BLOCKED'
  else reply[i] = take(card, KEYS[KEPT + i], token, live, blocked[i]) end
  seen[card] = true
end
commit_grants()
return reply
