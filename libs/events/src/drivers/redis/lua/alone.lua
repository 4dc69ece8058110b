-- Notes that an entry is about to be handled alone, because its consumers have died with it. One note for each number of
-- deaths: called twice, or again after an orderly hand-over, it counts once.
-- NUMKEYS: 1
-- KEYS[1] hash entry -> '<notes> <deaths>'
-- ARGV[1] entry
-- ARGV[2] how many of its consumers have died with it
-- ARGV[3] how long the hash is kept after its last note, ms
-- ARGV[4] how many had while it was handled alone, when it came to its stream
-- Returns how many have died with it while it was handled alone
--- include: notes
local before = deaths_alone(redis.call('HGET', KEYS[1], ARGV[1]) or (ARGV[4] .. ' -1'), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], ARGV[1], (before + 1) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return before
