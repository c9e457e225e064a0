-- Charges one request in windows aligned to this server's clock.
-- KEYS: requests of the caller, its bytes, requests of all, bytes of all.
-- ARGV: the period in milliseconds; the cost in requests and in bytes; then the limits in the order of the keys,
-- those of all twice: for a caller with at most as many requests as the last argument says, and for one with more.
-- A limit of 0 is none.
-- Returns what each counter would hold with the request (0: not counted), and the time in milliseconds.
local period, requests, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local result = {0, 0, 0, 0, now}
local is_refused = false

-- A counter holds only what it admitted, and a refusal ends the charge: the later counters belong to others.
local function charge(nth, cost, limit)
  if is_refused or limit == 0 then
    return
  end
  local spent, left = 0, redis.call('PTTL', KEYS[nth])
  -- A counter without an end is new. One that ends after any window dates from before the clock was set back.
  local is_current = left >= 0 and left <= period
  if is_current then
    spent = tonumber(redis.call('GET', KEYS[nth]) or 0)
  end
  result[nth] = spent + cost
  if spent + cost > limit then
    is_refused = true
  elseif cost > 0 and is_current then
    redis.call('INCRBY', KEYS[nth], cost)
  elseif cost > 0 then
    redis.call('SET', KEYS[nth], cost, 'PX', period - now % period)
  end
end

charge(1, requests, tonumber(ARGV[4]))
charge(2, bytes, tonumber(ARGV[5]))
local is_modest = result[1] <= tonumber(ARGV[10])
charge(3, requests, tonumber(is_modest and ARGV[6] or ARGV[8]))
charge(4, bytes, tonumber(is_modest and ARGV[7] or ARGV[9]))
return result
