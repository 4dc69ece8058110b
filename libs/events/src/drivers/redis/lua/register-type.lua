-- Gives a type its number and tells everybody; reads what groups want it.
-- NUMKEYS: 3
-- KEYS[1] hash type -> number
-- KEYS[2] counter of numbers
-- KEYS[3] hash of declarations "<group> <pattern>" -> "<number> <ms> <start>"
-- ARGV[1] type
-- ARGV[2] channel for news
-- Returns {number, 1 when it is new, {declaration, value, …}}
local number = redis.call('HGET', KEYS[1], ARGV[1])
local fresh = 0
if not number then
  number = redis.call('INCR', KEYS[2])
  redis.call('HSET', KEYS[1], ARGV[1], number)
  redis.call('PUBLISH', ARGV[2], 'type ' .. ARGV[1])
  fresh = 1
end
return { tonumber(number), fresh, redis.call('HGETALL', KEYS[3]) }
