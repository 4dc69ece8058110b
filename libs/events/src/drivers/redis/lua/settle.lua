-- Ends a pending delivery that leaves something behind: files dead letters, stores retries, and acknowledges, together.
-- NUMKEYS: 5
-- KEYS[1] stream of the entry: the log, the anycast stream, or the redelivery stream
-- KEYS[2] dead letter stream of the type
-- KEYS[3] redelivery stream of the group
-- KEYS[4] sorted set of the group's retries that wait, by when they are due
-- KEYS[5] hash of the group's entries that were handled alone
-- ARGV[1] stream group
-- ARGV[2] consumer
-- ARGV[3] id of the entry
-- ARGV[4] id of the original entry: the same, but for a redelivery
-- ARGV[5] name of the group for people, '' = none
-- ARGV[6] mode of the event
-- ARGV[7] operation of the replay that it comes from, '' = none
-- ARGV[8] channel to wake
-- ARGV[9] message to wake with when there is something to redeliver at once
-- ARGV[10] ce, where the body of the entry is gone, '' = not given
-- ARGV[11] data, where the body of the entry is gone, '' = no payload
-- ARGV[12] how many of its consumers have died with it
-- ARGV[13] how many had while it was handled alone, when it came to this stream
-- ARGV[14] how many dead letters
-- ARGV[15..] dead letters, rows of five: reason, handler ('' = none), attempts, error, stack ('' = none); then retries,
-- rows of six: handler ('' = any), delay in ms, attempt, failures, since when it waits for its handler ('' = from when it is
-- due), 1: it is the same attempt, so the deaths stay with it; 0: a new one
-- Returns {status, milliseconds until the next retry is due ('' = none)}; status 'OK', or, when nothing is done: 'STALE' when
-- the entry is not pending for this consumer, 'BIG' when it has more fields than a script can copy, 'LOST' when its body is
-- gone and was not given
--- include: owner
--- include: now
--- include: letter
--- include: redo
--- include: notes
local stream, dead, redo, wait, solo = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, id = ARGV[1], ARGV[3]
if not owns(stream, group, ARGV[2], id) then return { 'STALE', '' } end
local entry = redis.call('XRANGE', stream, id, id)[1]
local fields
if entry then
  if #entry[2] > MOST_FIELDS then return { 'BIG', '' } end
  fields = stream == redo and without_mark(entry[2]) or entry[2]
elseif ARGV[10] ~= '' then
  fields = { 'ce', ARGV[10] }
  if ARGV[11] ~= '' then fields = { 'ce', ARGV[10], 'data', ARGV[11] } end
else
  return { 'LOST', '' }
end
local now = now_ms()
local head = { entry = ARGV[4], group = ARGV[5], mode = ARGV[6], operation = ARGV[7], at = whole(now) }
local field = (stream == redo and 'r' or '') .. id
local deaths = tonumber(ARGV[12])
local alone = deaths_alone(redis.call('HGET', solo, field) or (ARGV[13] .. ' -1'), deaths)
local retries = 15 + 5 * tonumber(ARGV[14])
for i = 15, retries - 1, 5 do file_letter(dead, head, { unpack(ARGV, i, i + 4) }, fields) end
local added = false
for i = retries, #ARGV, 6 do
  local delay = tonumber(ARGV[i + 1])
  local since = tonumber(ARGV[i + 4]) or now + delay
  local same = ARGV[i + 5] == '1'
  local mark = redo_mark(ARGV[i], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), since, head, same and deaths or 0, same and alone or 0)
  local row = { 're', mark }
  for at = 1, #fields do row[#row + 1] = fields[at] end
  if delay > 0 then
    -- Two rows must not be one member, however alike they are.
    table.insert(row, 1, stream .. ' ' .. id .. ' ' .. i)
    redis.call('ZADD', wait, whole(now + delay), cmsgpack.pack(row))
  else
    hand_over(redo, group, row)
    added = true
  end
end
if added then redis.call('PUBLISH', ARGV[8], ARGV[9]) end
redis.call('HDEL', solo, field)
redis.call('XACK', stream, group, id)
if stream == redo then redis.call('XDEL', redo, id) end
return { 'OK', next_due(wait, now) }
