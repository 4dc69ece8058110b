-- Notes where a pattern of a group begins, the first time it is declared.
-- NUMKEYS: 3
-- KEYS[1] hash type -> number
-- KEYS[2] counter of numbers
-- KEYS[3] hash of declarations "<group> <pattern>" -> "<number> <ms> <start>"
-- ARGV[1] declaration "<group> <pattern>"
-- ARGV[2] start: 'new', 'earliest', or milliseconds since the epoch
-- ARGV[3] channel for news
-- Returns {value, 1 when it is new, {type, number, …}}
local value = redis.call('HGET', KEYS[3], ARGV[1])
local fresh = 0
if not value then
  local time = redis.call('TIME')
  local ms = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
  value = (redis.call('GET', KEYS[2]) or '0') .. ' ' .. ms .. ' ' .. ARGV[2]
  redis.call('HSET', KEYS[3], ARGV[1], value)
  redis.call('PUBLISH', ARGV[3], 'group ' .. ARGV[1])
  fresh = 1
end
return { value, fresh, redis.call('HGETALL', KEYS[1]) }
