-- What a script of wrk reports when it is done: one line, `RESULT` and JSON. Scripts count in the globals
-- `answered` and `wrong`, since one thread's table of globals is all that `done` can read of it.

answered, wrong = 0, 0
-- Microseconds after which a script ended its run early; 0 if it did not.
ended_after = 0

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency, _)
  local looked_at, not_right, microseconds, is_early = 0, 0, summary.duration, false
  for _, thread in ipairs(threads) do
    looked_at = looked_at + thread:get("answered")
    not_right = not_right + thread:get("wrong")
    local early = thread:get("ended_after")
    if early > 0 then
      -- wrk itself waits for the end of its time.
      microseconds, is_early = early, true
    end
  end
  local errors = summary.errors
  io.write(
    string.format(
      '\nRESULT {"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"broken":%d,'
        .. '"looked_at":%d,"wrong":%d,"used_up":%s,"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d}\n',
      summary.requests, microseconds, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, looked_at, not_right, tostring(is_early),
      latency:percentile(50), latency:percentile(90), latency:percentile(99),
      latency:percentile(99.9), latency.max
    )
  )
end
