--- include: card
--- include: card-attempts
-- The number behind the last token that was granted. Grows from grant to grant, and also where Redis has forgotten it.
local epoch = nil

-- Gives a card to an owner: its token. `before` is the token of the last holder, which holds it no more: it has died.
local function grant(card, owner, lease, before)
  if not epoch then epoch = tonumber(redis.call('GET', EP) or 0) or 0 end
  epoch = math.max(epoch + 1, micros)
  if before then note_crash(card) end
  local token = owner .. '|' .. whole(epoch)
  later('HSET', OWN, card, token)
  later('ZADD', EXP, whole(now + lease), card)
  later('ZADD', REG, whole(now), card)
  return token
end

local function commit_grants()
  if epoch then redis.call('SET', EP, whole(epoch)) end
  commit()
end
