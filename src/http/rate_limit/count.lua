-- Counts one request in windows aligned to this server's clock.
-- KEYS: what the source has asked, what all have asked.
-- ARGV: the period in milliseconds, the limit of a source, the limit of all; 0 is no limit.
-- Answers what the source has asked and what all have (0 is not counted), and the time in milliseconds.
local period, per_source, total = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function count(key)
  local counted = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  -- A counter without an end is new; one that ends later than any window is of before the clock was set
  -- back, and begins anew.
  if left < 0 or left > period then
    counted = 1
    redis.call('SET', key, 1, 'PX', period - now % period)
  end
  return counted
end

local own, all = 0, 0
if per_source > 0 then
  own = count(KEYS[1])
end
-- What its own limit refuses does not count against all.
if total > 0 and own <= per_source then
  all = count(KEYS[2])
end
return {own, all, now}
