-- Files an entry of the log that nobody has pending: a failure of a process subscriber.
-- NUMKEYS: 2
-- KEYS[1] log stream of the type
-- KEYS[2] dead letter stream of the type
-- ARGV[1] id of the entry
-- ARGV[2] mode of the event
-- ARGV[3] ce, where the entry is gone, '' = not given
-- ARGV[4] data, where the entry is gone, '' = no payload
-- ARGV[5..] rows of five: reason, handler ('' = none), attempts, error, stack ('' = none)
-- Returns 'OK'; 'BIG' when it has more fields than a script can copy, 'LOST' when the entry is gone and was not given
--- include: now
--- include: letter
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
local fields
if entry then
  if #entry[2] > MOST_FIELDS then return 'BIG' end
  fields = entry[2]
elseif ARGV[3] ~= '' then
  fields = { 'ce', ARGV[3] }
  if ARGV[4] ~= '' then fields = { 'ce', ARGV[3], 'data', ARGV[4] } end
else
  return 'LOST'
end
local head = { entry = ARGV[1], group = '', mode = ARGV[2], operation = '', at = whole(now_ms()) }
for i = 5, #ARGV, 5 do file_letter(KEYS[2], head, { unpack(ARGV, i, i + 4) }, fields) end
return 'OK'
