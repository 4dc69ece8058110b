-- Takes a dead letter out and hands its event to who failed, in one step.
-- NUMKEYS: 2
-- KEYS[1] dead letter stream of the type
-- KEYS[2] redelivery stream of the letter's group
-- ARGV[1] id of the letter
-- ARGV[2] operation, for the letter that it may become again
-- ARGV[3] stream group
-- ARGV[4] channel to wake
-- ARGV[5] message to wake with
-- Returns 1; 0 when the letter is gone; -1 when it has more fields than a script can copy
--- include: now
--- include: letter
--- include: redo
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return 0 end
local fields, said, at = letter[2], {}, 1
repeat
  said[fields[at]] = fields[at + 1]
  at = at + 2
until fields[at - 2] == 'at' or at > #fields
if #fields - at >= MOST_FIELDS then return -1 end
local head = { entry = said['entry'] or '', operation = ARGV[2], mode = said['mode'] or '' }
local row = { 're', redo_mark(said['handler'] or '', 1, 0, now_ms(), head, 0, 0) }
for i = at, #fields do row[#row + 1] = fields[i] end
hand_over(KEYS[2], ARGV[3], row)
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
