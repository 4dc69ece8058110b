-- Deletes the streams of a type that has been silent and owes nobody anything; atomic against a publish.
-- NUMKEYS: 3
-- KEYS[1] log stream of the type
-- KEYS[2] anycast stream of the type
-- KEYS[3] dead letter stream of the type
-- ARGV[1] silent for at least this long, ms
-- Returns 1 when they are gone, 0 when somebody still needs them
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if redis.call('XLEN', KEYS[3]) > 0 then return 0 end
for _, stream in ipairs({ KEYS[1], KEYS[2] }) do
  if redis.call('EXISTS', stream) == 1 then
    local info, raw = {}, redis.call('XINFO', 'STREAM', stream)
    for i = 1, #raw, 2 do info[raw[i]] = raw[i + 1] end
    if now - tonumber(string.match(info['last-generated-id'], '^(%d+)')) < tonumber(ARGV[1]) then return 0 end
    for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local group = {}
      for i = 1, #row, 2 do group[row[i]] = row[i + 1] end
      if group['pending'] > 0 then return 0 end
      if info['length'] > 0 and #redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', 1) > 0 then return 0 end
    end
    if stream == KEYS[2] and info['groups'] == 0 and info['length'] > 0 then return 0 end
  end
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
