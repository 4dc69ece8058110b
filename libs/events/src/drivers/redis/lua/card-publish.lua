-- Appends events to their cards, registers these and makes them ready.
-- NUMKEYS: variadic
-- KEYS[1..9] of the topic and tag: reg, rdy, own, exp, blk, att, ep, unr, dlq
-- KEYS[10] string '<sequence> <reply>', the last batch of this publisher
-- KEYS[11] sorted set of card and event id -> milliseconds, of what was stored once lately; KEYS[10] again where ARGV[9] is ''
-- KEYS[12..] streams of the cards, each once
-- ARGV[1] the publisher's sequence number: a resend has that of the first try
-- ARGV[2] most entries that a stream may hold
-- ARGV[3] 'c': an event is stored as the fields `ce` and `data`; 'f': as fields of its own, `ce` only says the id
-- ARGV[4] channel to tell what is ready
-- ARGV[5] topic
-- ARGV[6] how many events
-- ARGV[7] for each event: bytes of ce, bytes of data (0 = no payload)
-- ARGV[8] ce and data of all events in a row; in 'f' data is a row of '<bytes>:<text>', name and value in turn, at least one
-- pair
-- ARGV[9] indexes (from 0) of the events that are stored only if their id was not lately, for this card; '' = none
-- ARGV[10] for each event the number (from 1) of its card, joined by ' '
-- ARGV[11..] ids of the cards, in the order of their streams
-- Returns {'FULL'}: a stream would hold too many, nothing was stored; or {'OK', milliseconds of the first id, 0, index,
-- message or milliseconds, …} with a pair for each event that was refused (message), or was stored before or at another
-- millisecond (a number)
--- include: card-wake
--- include: append
--- include: letter
local STREAMS, CARDS = 11, 10
local sequence, topic = ARGV[1], ARGV[5]
local last, stored_reply = string.match(redis.call('GET', KEYS[10]) or '', '^(%S+) (.*)$')
if last == sequence then return cmsgpack.unpack(stored_reply) end

local once = {}
for index in string.gmatch(ARGV[9], '%d+') do once[tonumber(index)] = true end
local card_of, at = {}, 0
for number in string.gmatch(ARGV[10], '%d+') do
  card_of[at] = tonumber(number)
  at = at + 1
end
local function member(index, ce) return ARGV[CARDS + card_of[index]] .. '\n' .. (id_of(ce) or '') end

-- What is there already, and how much each card gets.
local earlier, coming, fresh = {}, {}, {}
for index, ce in events(ARGV[7], ARGV[8]) do
  if once[index] then
    local ms = tonumber(redis.call('ZSCORE', KEYS[11], member(index, ce)) or nil)
    if ms and ms > now - WINDOW then earlier[index] = ms end
  end
  local key = once[index] and member(index, ce)
  if not earlier[index] and not (key and fresh[key]) then
    coming[card_of[index]] = (coming[card_of[index]] or 0) + 1
    if key then fresh[key] = true end
  end
end
for number, count in pairs(coming) do
  local held = redis.pcall('XLEN', KEYS[STREAMS + number])
  if type(held) == 'number' and held + count > tonumber(ARGV[2]) then return { 'FULL' } end
end

-- The fields of an event in 'f'.
local function flat(data)
  local fields, from = {}, 1
  while true do
    local bytes, text = string.match(data, '^(%d+):()', from)
    if not bytes then return fields end
    from = text + bytes
    fields[#fields + 1] = string.sub(data, text, from - 1)
  end
end

local function store(stream, ce, data)
  if ARGV[3] == 'f' then
    local fields = flat(data)
    if #fields > MOST_FIELDS then return { err = 'ERR more fields than a script can store' } end
    return redis.pcall('XADD', stream, '*', unpack(fields))
  end
  if data == '' then return redis.pcall('XADD', stream, '*', 'ce', ce) end
  return redis.pcall('XADD', stream, '*', 'ce', ce, 'data', data)
end

local reply, first, notes, touched, is_touched = { 'OK', '0', 0 }, nil, {}, {}, {}
for index, ce, data in events(ARGV[7], ARGV[8]) do
  local number = card_of[index]
  local key = once[index] and member(index, ce)
  local result = earlier[index] or key and type(fresh[key]) == 'number' and fresh[key]
  if not result then
    local id = store(KEYS[STREAMS + number], ce, data)
    if type(id) == 'table' then
      -- What will pass (a replica that is about to be the master, say) concerns all of them.
      if string.find(id.err, '^READONLY') or string.find(id.err, '^NOREPLICAS') then error(id) end
      result = id.err
    else
      local ms = tonumber(string.match(id, '^(%d+)'))
      first = first or ms
      if ms ~= first then result = ms end
      if key then
        fresh[key] = ms
        -- A stream may be ahead of the clock, for as long as its ids go: its events are forgotten in time all the same.
        notes[#notes + 1] = whole(math.min(ms, now + 1000))
        notes[#notes + 1] = key
      end
      if not is_touched[number] then
        is_touched[number] = true
        touched[#touched + 1] = ARGV[CARDS + number]
      end
    end
  end
  if result then
    reply[#reply + 1] = index
    reply[#reply + 1] = result
  end
end
if first then reply[2] = whole(first) end

for from = 1, #notes, PIECE do note({ key = KEYS[11], now = now }, { unpack(notes, from, math.min(from + PIECE - 1, #notes)) }) end
register(touched)
announce(ARGV[4], topic, wake(touched))
if ARGV[3] == 'f' then
  for _, card in ipairs(touched) do redis.call('PUBLISH', 'group_change', 'register:' .. group_of(topic, card)) end
end
redis.call('SET', KEYS[10], sequence .. ' ' .. cmsgpack.pack(reply), 'PX', WINDOW)
return reply
