-- Drops entries that are past the retention and that every group has read and settled.
-- NUMKEYS: 1
-- KEYS[1] stream
-- ARGV[1] retention, ms
-- ARGV[2..] groups that do not hold the trim (nobody has declared them for long)
-- Returns how many entries went
--- include: room
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local ignored = {}
for i = 2, #ARGV do ignored[ARGV[i]] = true end
local floor = read_floor(KEYS[1], ignored)
local time = redis.call('TIME')
local oldest = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1]))
if floor and tonumber(string.match(floor, '^(%d+)')) < tonumber(oldest) then oldest = floor end
if not string.find(oldest, '-') then oldest = oldest .. '-0' end
return trim_to(KEYS[1], oldest)
