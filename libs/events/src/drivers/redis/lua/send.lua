-- Appends unicast events to the inbox of a live process.
-- NUMKEYS: 3
-- KEYS[1] inbox stream of the process
-- KEYS[2] sorted set event id -> milliseconds, of what was stored once lately; KEYS[1] again where ARGV[8] is ''
-- KEYS[3] key that exists while the process is alive
-- ARGV[1] '' or, on a resend, the id since which the events may already be stored
-- ARGV[2] most entries that the inbox may hold
-- ARGV[3] channel to wake
-- ARGV[4] message to wake with
-- ARGV[5] how many events
-- ARGV[6] for each event: bytes of ce, bytes of data (0 = no payload)
-- ARGV[7] ce and data of all events in a row
-- ARGV[8] indexes (from 0) of the events that are stored only if their id was not lately; '' = none
-- Returns {'GONE'}, {'FULL'}, or {'OK', milliseconds of the ids, 0, index, message or milliseconds, …} as publish.lua
--- include: room
--- include: append
local inbox = KEYS[1]
local found, there, notes = known(inbox, KEYS[2], ARGV[6], ARGV[7], ARGV[1], ARGV[8])
local count = tonumber(ARGV[5]) - there
if count > 0 then
  if redis.call('EXISTS', KEYS[3]) == 0 then return { 'GONE' } end
  if redis.call('XLEN', inbox) + count > tonumber(ARGV[2]) then
    local floor = redis.call('EXISTS', inbox) == 1 and read_floor(inbox)
    if floor then trim_to(inbox, floor) end
    if redis.call('XLEN', inbox) + count > tonumber(ARGV[2]) then return { 'FULL' } end
  end
end
local ms, appended, others = append(inbox, ARGV[6], ARGV[7], found, notes)
if appended > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return { 'OK', ms, 0, unpack(others) }
