-- Registers a card: its stream and group are there, and other programs are told.
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
-- KEYS[10] stream of the card
-- ARGV[1] topic
-- ARGV[2] card
-- ARGV[3] channel to tell what is ready
-- Returns 1 where the card has become ready, else 0; an error where its key is no stream
--- include: card-wake
local topic, card = ARGV[1], ARGV[2]
local made = redis.pcall('XGROUP', 'CREATE', KEYS[10], group_of(topic, card), '0', 'MKSTREAM')
if made.err and not string.find(made.err, '^BUSYGROUP') then return made end
register({ card })
local woken = redis.call('XLEN', KEYS[10]) > 0 and wake({ card }) or {}
announce(ARGV[3], topic, woken)
redis.call('PUBLISH', 'group_change', 'register:' .. group_of(topic, card))
return #woken
