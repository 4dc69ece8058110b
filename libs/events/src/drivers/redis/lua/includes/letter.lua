-- More fields than this cannot be copied by a script: unpack has an end.
local MOST_FIELDS = 7000

-- Files a copy of an entry under the dead letters. `head`: entry (id of the original), group, mode, operation, at, and of a
-- card's event its card; `row`: reason, handler, attempts, error, stack. The name `at` ends what is said of the letter.
local function file_letter(dead, head, row, fields)
  local letter = { 'entry', head.entry, 'group', head.group, 'mode', head.mode, 'reason', row[1], 'handler', row[2],
    'attempts', row[3], 'error', row[4], 'stack', row[5], 'operation', head.operation }
  if head.card then
    letter[#letter + 1] = 'card'
    letter[#letter + 1] = head.card
  end
  letter[#letter + 1] = 'at'
  letter[#letter + 1] = head.at
  for i = 1, #fields do letter[#letter + 1] = fields[i] end
  redis.call('XADD', dead, '*', unpack(letter))
end
