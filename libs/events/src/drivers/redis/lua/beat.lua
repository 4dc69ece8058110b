-- Says that a process is alive, under an id that no other live process may hold.
-- NUMKEYS: 3
-- KEYS[1] hash instance -> what it says of itself (JSON)
-- KEYS[2] sorted set instance -> last beat, ms
-- KEYS[3] sorted set group -> last beat of a member, ms
-- ARGV[1] instance
-- ARGV[2] token of this process; the description begins with it
-- ARGV[3] description: "<token> <JSON>"
-- ARGV[4] dead after this long without a beat, ms
-- ARGV[5] channel for news
-- ARGV[6..] its groups
-- Returns {'TAKEN', ms since the holder's beat} or {'OK', time, 1 when it had been taken for dead}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held = redis.call('HGET', KEYS[1], ARGV[1])
local last = redis.call('ZSCORE', KEYS[2], ARGV[1])
local mine = held and string.sub(held, 1, #ARGV[2] + 1) == ARGV[2] .. ' '
if held and not mine and last and now - tonumber(last) < tonumber(ARGV[4]) then
  return { 'TAKEN', string.format('%.0f', now - tonumber(last)) }
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
if held ~= ARGV[3] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('PUBLISH', ARGV[5], 'member ' .. ARGV[1])
end
for i = 6, #ARGV do redis.call('ZADD', KEYS[3], now, ARGV[i]) end
return { 'OK', string.format('%.0f', now), mine and 0 or 1 }
