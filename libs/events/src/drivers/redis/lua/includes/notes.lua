-- With how many of its consumers' deaths an entry was being handled alone. `note` is '<notes> <deaths at the last one>':
-- what was noted at this number of deaths, or more, has not been followed by a death.
local function deaths_alone(note, deaths)
  local notes, at = string.match(note, '^(%d+) (%-?%d+)$')
  if deaths <= tonumber(at) then return tonumber(notes) - 1 end
  return tonumber(notes)
end
