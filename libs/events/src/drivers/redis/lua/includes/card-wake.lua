--- include: card
-- Makes ready those of the cards, which have events, that nobody holds and that do not wait. Returns which were not before.
local function wake(cards)
  if #cards == 0 then return {} end
  local ends, blocked, ready = over('ZMSCORE', EXP, cards), over('ZMSCORE', BLK, cards), over('ZMSCORE', RDY, cards)
  local woken, rows = {}, {}
  for i, card in ipairs(cards) do
    local held = ends[i] and is_live(redis.call('HGET', OWN, card), ends[i])
    if not held and not blocked[i] and not ready[i] then
      woken[#woken + 1] = card
      rows[#rows + 1] = whole(now)
      rows[#rows + 1] = card
    end
  end
  if #rows > 0 then over('ZADD', RDY, rows) end
  return woken
end

-- Something has happened to cards: they are registered, from now on if they were not.
local function register(cards)
  local rows = {}
  for _, card in ipairs(cards) do
    rows[#rows + 1] = whole(now)
    rows[#rows + 1] = card
  end
  if #rows == 0 then return end
  over('ZADD', REG, rows)
  over('SREM', UNR, cards)
end
