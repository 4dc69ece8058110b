-- Claims a key of an idempotent handler, unless it is done or somebody else is at it. An own claim is renewed.
-- NUMKEYS: 1
-- KEYS[1] the claim
-- ARGV[1] owner
-- ARGV[2] how long the claim lasts, ms
-- Returns 'c' claimed, 'b' busy, 'd' done, or 'd:' and the outcome
local held = redis.call('GET', KEYS[1])
if held and held ~= 'c:' .. ARGV[1] then
  if string.sub(held, 1, 1) == 'd' then return held end
  return 'b'
end
redis.call('SET', KEYS[1], 'c:' .. ARGV[1], 'PX', ARGV[2])
return 'c'
