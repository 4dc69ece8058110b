--- include: card
--- include: card-attempts
--- include: card-hand
-- Cards that their holders have released, for others at once.
local released = {}

-- The card's holder has none of it any more.
local function let_go(card)
  later('HDEL', OWN, card)
  later('ZREM', EXP, card)
end

-- Back to those that wait; without events it is idle, or gone where it is being unregistered. Returns whether it has any.
local function put_back(card, stream, count)
  let_go(card)
  if count > 0 then
    later('ZADD', RDY, whole(now), card)
    return true
  end
  if is_leaving(card) then destroy(card, stream) end
  return false
end

-- The key of the card does not answer. What is no stream is no card; anything else may pass.
local function fail(card, err)
  let_go(card)
  if string.find(err, '^WRONGTYPE') then later('ZREM', RDY, card)
  else later('ZADD', RDY, whole(now), card) end
  return { 'ERR', err }
end

-- Goes on with a card as its holder says, whose token is right; `acked` where all that it had in hand is acknowledged.
local function proceed(card, stream, topic, mode, n, lease, acked)
  if mode == 'keep' then
    later('ZADD', EXP, whole(now + lease), card)
    return 'KEPT'
  end
  local count, failure = length(stream)
  if not count then return fail(card, failure) end
  if mode ~= 'next' then
    note_return(card)
    if put_back(card, stream, count) and mode == 'release' then released[#released + 1] = card end
    return 'ENDED'
  end
  local entries, again, lost = {}, 0, 0
  if count > 0 or not acked then
    entries, again, lost = hand(stream, group_of(topic, card), n)
    if not entries then return fail(card, again) end
  end
  if #entries == 0 then
    if not acked then later('HDEL', ATT, card) end
    put_back(card, stream, 0)
    return lost > 0 and { 'EMPTY', lost } or 'EMPTY'
  end
  later('ZADD', EXP, whole(now + lease), card)
  local attempts = (again == 1 or not acked) and head_attempts(card, entries[1][1], again) or ''
  return { 'OK', again, lost, attempts, entries }
end
