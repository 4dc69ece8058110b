-- Appends events to a type's stream and wakes its readers.
-- NUMKEYS: 2
-- KEYS[1] stream of the type (log or anycast)
-- KEYS[2] sorted set event id -> milliseconds, of what was stored once lately; KEYS[1] again where ARGV[10] is ''
-- ARGV[1] '1': the type is registered, the stream may be created; '0': answer NEW when it does not exist
-- ARGV[2] '' or, on a resend, the id since which the events may already be stored
-- ARGV[3] most entries that the stream may hold
-- ARGV[4] 'reject' or 'drop-oldest'
-- ARGV[5] channel to wake
-- ARGV[6] message to wake with
-- ARGV[7] how many events
-- ARGV[8] for each event: bytes of ce, bytes of data (0 = no payload)
-- ARGV[9] ce and data of all events in a row
-- ARGV[10] indexes (from 0) of the events that are stored only if their id was not lately; '' = none
-- Returns {'NEW'}, {'FULL'}, or {'OK', milliseconds of the ids, entries dropped, index, message or milliseconds, …} with a
-- pair for each event that was refused (message) or stored before (milliseconds, a number)
--- include: room
--- include: append
local stream, limit = KEYS[1], tonumber(ARGV[3])
if ARGV[1] == '0' and redis.call('EXISTS', stream) == 0 then return { 'NEW' } end
local found, there, notes = known(stream, KEYS[2], ARGV[8], ARGV[9], ARGV[2], ARGV[10])
local count = tonumber(ARGV[7]) - there
local excess = count > 0 and redis.call('XLEN', stream) + count - limit or 0
local dropped = 0
if excess > 0 and redis.call('EXISTS', stream) == 1 then
  -- Some more than needed goes, so that not every call has to make room; never what a group has not settled.
  local floor = read_floor(stream)
  local boundary = id_after(stream, excess + math.min(math.floor(limit / 10), 100))
  if floor and before(floor, boundary) then boundary = floor end
  trim_to(stream, boundary)
  excess = redis.call('XLEN', stream) + count - limit
  if excess > 0 then
    if ARGV[4] == 'reject' then return { 'FULL' } end
    dropped = trim_to(stream, id_after(stream, excess))
  end
end
local ms, appended, others = append(stream, ARGV[8], ARGV[9], found, notes)
if appended > 0 then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
return { 'OK', ms, dropped, unpack(others) }
