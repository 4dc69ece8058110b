--- include: card
-- The head's attempts, a JSON array: entry id ('' = a crash whose entry is not known yet), failures, crashes, crashes while
-- it was handled alone, 1: that it is handled alone was noted since the last crash, last error.
local ID, FAILURES, CRASHES, ALONE, NOTED, ERROR = 1, 2, 3, 4, 5, 6

-- The attempts of an entry; all zero where nothing, or something unreadable, is kept of it.
local function attempts_of(card, id)
  local text = redis.call('HGET', ATT, card)
  local read, row = pcall(cjson.decode, text or '')
  if read and type(row) == 'table' and #row == 6 and (row[ID] == id or row[ID] == '') then
    row[ID] = id
    return row
  end
  return { id, 0, 0, 0, 0, '' }
end

local function keep_attempts(card, row)
  redis.call('HSET', ATT, card, cjson.encode(row))
end

-- The holder's lease has ended without a word from it: it has died, with the head in hand.
local function note_crash(card)
  local text = redis.call('HGET', ATT, card)
  local read, row = pcall(cjson.decode, text or '')
  if not (read and type(row) == 'table' and #row == 6) then row = { '', 0, 0, 0, 0, '' } end
  row[CRASHES] = row[CRASHES] + 1
  if row[NOTED] == 1 then
    row[ALONE] = row[ALONE] + 1
    row[NOTED] = 0
  end
  keep_attempts(card, row)
end

-- A holder gives its card back: what it noted has not been followed by its death.
local function note_return(card)
  local text = redis.call('HGET', ATT, card)
  local read, row = pcall(cjson.decode, text or '')
  if read and type(row) == 'table' and row[NOTED] == 1 then
    row[NOTED] = 0
    keep_attempts(card, row)
  end
end

-- The attempts of the head that is handed over, as JSON; '' where it has none. `again` 1: it was handed over before, so that a
-- crash of which the entry is not known is its own.
local function head_attempts(card, head, again)
  local text = redis.call('HGET', ATT, card)
  if not text then return '' end
  local read, row = pcall(cjson.decode, text)
  if read and type(row) == 'table' and #row == 6 then
    if row[ID] == head then return text end
    if row[ID] == '' and again == 1 then
      row[ID] = head
      keep_attempts(card, row)
      return cjson.encode(row)
    end
  end
  redis.call('HDEL', ATT, card)
  return ''
end
