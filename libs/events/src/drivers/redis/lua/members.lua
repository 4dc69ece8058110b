-- Reads who is alive.
-- NUMKEYS: 2
-- KEYS[1] hash instance -> what it says of itself (JSON)
-- KEYS[2] sorted set instance -> last beat, ms
-- ARGV[1] dead after this long without a beat, ms
-- Returns {time, {instance, description, …} of the living, {instance …} of the dead}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local edge = string.format('%.0f', now - tonumber(ARGV[1]))
local living = {}
for _, instance in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. edge, '+inf')) do
  local description = redis.call('HGET', KEYS[1], instance)
  if description then
    living[#living + 1] = instance
    living[#living + 1] = description
  end
end
return { string.format('%.0f', now), living, redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', edge, 'LIMIT', 0, 100) }
