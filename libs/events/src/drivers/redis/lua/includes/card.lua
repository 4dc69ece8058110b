--- include: now
-- The keys that every script of cards begins with, all of one topic and tag.
local REG, RDY, OWN, EXP, BLK = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ATT, EP, UNR, DLQ = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
-- Keys before those that a script has of its own.
local KEPT = 9
-- Arguments that one command is given at most: unpack has an end.
local PIECE = 1000

local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)

-- A command about many cards: its replies in a row, where it has one for each.
local function over(command, key, members)
  if #members <= PIECE and #members > 0 then return redis.call(command, key, unpack(members)) end
  local replies = {}
  for from = 1, #members, PIECE do
    local piece = redis.call(command, key, unpack(members, from, math.min(from + PIECE - 1, #members)))
    if type(piece) == 'table' then
      for i = 1, #piece do replies[from + i - 1] = piece[i] end
    end
  end
  return replies
end

-- Changes of the index that are made together: a command over many cards costs little more than over one. Until `commit`
-- no card is in two changes that contradict each other.
local changes = {}
local function later(command, key, first, second)
  local of_command = changes[command]
  if not of_command then
    of_command = {}
    changes[command] = of_command
  end
  local members = of_command[key]
  if not members then
    members = {}
    of_command[key] = members
  end
  members[#members + 1] = first
  members[#members + 1] = second
end
local function commit()
  for command, of_command in pairs(changes) do
    for key, members in pairs(of_command) do over(command, key, members) end
  end
  changes = {}
end

-- Owned is what has a holder and a lease that has not ended. `lease_end` is the score, or false.
local function is_live(token, lease_end)
  return token and lease_end and tonumber(lease_end) > now
end

local function group_of(topic, card) return topic .. ':' .. card end

-- How many events a card has; nil and an error where its key is no stream.
local function length(stream)
  local count = redis.pcall('XLEN', stream)
  if type(count) == 'table' then return nil, count.err end
  return count
end

local leaving = nil
-- Whether a card is being unregistered. Few topics have any.
local function is_leaving(card)
  if leaving == nil then leaving = redis.call('EXISTS', UNR) == 1 end
  return leaving and redis.call('SISMEMBER', UNR, card) == 1
end

-- Nothing remains of a card, its holder has lost it. Only for a key that is a stream, or none.
local function destroy(card, stream)
  redis.call('DEL', stream)
  for _, key in ipairs({ REG, RDY, BLK, EXP }) do redis.call('ZREM', key, card) end
  redis.call('HDEL', OWN, card)
  redis.call('HDEL', ATT, card)
  redis.call('SREM', UNR, card)
end

-- Tells the processes that declare the topic that cards are ready. No channel ('') or no cards: nobody.
local function announce(channel, topic, cards)
  if channel ~= '' and #cards > 0 then redis.call('PUBLISH', channel, topic .. '\n' .. table.concat(cards, '\n')) end
end
