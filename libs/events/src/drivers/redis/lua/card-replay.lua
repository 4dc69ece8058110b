-- Takes a dead letter of a card out and appends its event to the card, in one step.
-- NUMKEYS: 10
-- KEYS[1] reg
-- KEYS[2] rdy
-- KEYS[3] own
-- KEYS[4] exp
-- KEYS[5] blk
-- KEYS[6] att
-- KEYS[7] ep
-- KEYS[8] unr
-- KEYS[9] dlq
-- KEYS[10] stream of the letter's card
-- ARGV[1] id of the letter
-- ARGV[2] operation, for the letter that it may become again: the value of the entry's first field, `cardinal:replay`, which
-- is not of the event; '' = none
-- ARGV[3] topic
-- ARGV[4] card
-- ARGV[5] channel to tell what is ready
-- Returns 1; 0 when the letter is gone; -1 when it has more fields than a script can copy; an error where the key of the card
-- is no stream
--- include: card-letter
--- include: card-wake
local topic, card = ARGV[3], ARGV[4]
local letter = redis.call('XRANGE', DLQ, ARGV[1], ARGV[1])[1]
if not letter then return 0 end
local fields, at, name = letter[2], 1, nil
repeat
  name = fields[at]
  at = at + 2
until name == 'at' or at > #fields
if #fields - at >= MOST_FIELDS then return -1 end
local row = ARGV[2] ~= '' and { REPLAYED, ARGV[2] } or {}
for i = at, #fields do row[#row + 1] = fields[i] end
local added = redis.pcall('XADD', KEYS[10], '*', unpack(row))
if type(added) == 'table' then return added end
redis.call('XDEL', DLQ, ARGV[1])
register({ card })
announce(ARGV[5], topic, wake({ card }))
return 1
