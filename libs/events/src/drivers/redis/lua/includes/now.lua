-- The server's time, ms.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Milliseconds as text: a number that goes to the client loses what is behind the point, and %.14g is for small ones.
local function whole(ms)
  return string.format('%.0f', ms)
end
