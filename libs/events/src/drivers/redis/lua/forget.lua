-- Takes a process off the list: itself when it leaves, or one that has been silent for long.
-- NUMKEYS: 2
-- KEYS[1] hash instance -> what it says of itself (JSON)
-- KEYS[2] sorted set instance -> last beat, ms
-- ARGV[1] instance
-- ARGV[2] token of the process that leaves, '' = any that is dead
-- ARGV[3] dead after this long without a beat, ms
-- ARGV[4] channel for news
-- Returns 1 when it is off the list
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then
  if held and string.sub(held, 1, #ARGV[2] + 1) ~= ARGV[2] .. ' ' then return 0 end
else
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local last = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if last and now - tonumber(last) < tonumber(ARGV[3]) then return 0 end
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[4], 'member ' .. ARGV[1])
return 1
