--- include: card
-- The one consumer of a card's group: who holds the card is said elsewhere.
local CONSUMER = 'o'
-- Entries that are read at once where bodies are gone.
local WINDOW_OF_LOST = 1000

local function read_entries(stream, group, n, from)
  local reply = redis.call('XREADGROUP', 'GROUP', group, CONSUMER, 'COUNT', n, 'STREAMS', stream, from)
  return reply and reply[1][2] or {}
end

-- True where entries are pending for a foreign consumer, which had the topic before and did not acknowledge them.
local function has_others(summary)
  for _, row in ipairs(summary[4] or {}) do
    if row[1] ~= CONSUMER then return true end
  end
  return false
end

-- The first `n` pending entries, how many had lost their body before them (foreign trimming) and are pending no more, and
-- whether more may be pending. Each round returns, or leaves fewer entries pending, or fewer for others.
local function read_pending(stream, group, n, summary)
  local lost, window = 0, n
  while summary[1] > 0 do
    local others = has_others(summary)
    if others then
      local claimed = redis.call('XAUTOCLAIM', stream, group, CONSUMER, 0, '0-0', 'COUNT', window, 'JUSTID')
      lost = lost + #claimed[3]
    end
    local found, gone = {}, {}
    for _, entry in ipairs(read_entries(stream, group, window, '0')) do
      if not entry[2] then gone[#gone + 1] = entry[1]
      elseif #found < n then found[#found + 1] = entry end
    end
    if #gone == 0 and #found > 0 then return found, lost, others or #found == n end
    if #gone > 0 then lost = lost + redis.call('XACK', stream, group, unpack(gone)) end
    window = math.max(n, WINDOW_OF_LOST)
    summary = redis.call('XPENDING', stream, group)
  end
  return {}, lost, false
end

-- Hands over up to `n` entries from the head on: those that were handed over before, then new ones. Returns them, 1
-- where some were handed over before (else 0), and how many were pending and are lost. Nil and an error where that cannot be.
-- Creates the group, never the stream.
local function hand(stream, group, n)
  local summary = redis.pcall('XPENDING', stream, group)
  if summary.err then
    if not string.find(summary.err, '^NOGROUP') then return nil, summary.err end
    if redis.call('EXISTS', stream) == 0 then return {}, 0, 0 end
    local made = redis.pcall('XGROUP', 'CREATE', stream, group, '0')
    if made.err then return nil, made.err end
    summary = { 0 }
  end
  local entries, lost, more = read_pending(stream, group, n, summary)
  local before = #entries
  if not more then
    for _, entry in ipairs(read_entries(stream, group, n - before, '>')) do entries[#entries + 1] = entry end
    -- All of it is acknowledged: a consumer that does not delete has left it. It would look like work for ever.
    if #entries == 0 and redis.call('XLEN', stream) > 0 then redis.call('XTRIM', stream, 'MAXLEN', 0) end
  end
  return entries, before > 0 and 1 or 0, lost
end
