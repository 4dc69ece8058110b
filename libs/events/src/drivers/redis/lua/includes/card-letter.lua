--- include: card
--- include: letter
-- The first field of an entry that comes back from the dead letters; its value is the operation.
local REPLAYED = 'cardinal:replay'

-- Moves an entry of a card to the dead letters. `row` as in file_letter; `ce` and `data` for where its body is gone. Returns
-- nil; 'BIG' or 'LOST' where nothing was done.
local function bury(stream, topic, card, id, mode, row, ce, data)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local fields = entry and entry[2]
  if not fields then
    if ce == '' then return 'LOST' end
    fields = data == '' and { 'ce', ce } or { 'ce', ce, 'data', data }
  elseif #fields > MOST_FIELDS then
    return 'BIG'
  end
  local operation = ''
  if fields[1] == REPLAYED and #fields > 2 then
    operation = fields[2]
    fields = { unpack(fields, 3) }
  end
  local head = { entry = id, group = '', mode = mode, operation = operation, card = card, at = whole(now) }
  file_letter(DLQ, head, row, fields)
  redis.call('XACK', stream, group_of(topic, card), id)
  redis.call('XDEL', stream, id)
  redis.call('HDEL', ATT, card)
  return nil
end
