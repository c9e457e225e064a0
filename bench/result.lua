-- What a script of wrk reports when it is done: one line, `RESULT` and JSON. Scripts count in the globals
-- `answered` and `wrong`, since one thread's table of globals is all that `done` can read of it.

answered, wrong = 0, 0

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency, _)
  local looked_at, not_right = 0, 0
  for _, thread in ipairs(threads) do
    looked_at = looked_at + thread:get("answered")
    not_right = not_right + thread:get("wrong")
  end
  local errors = summary.errors
  io.write(
    string.format(
      '\nRESULT {"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"broken":%d,'
        .. '"looked_at":%d,"wrong":%d,"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d}\n',
      summary.requests, summary.duration, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, looked_at, not_right,
      latency:percentile(50), latency:percentile(90), latency:percentile(99),
      latency:percentile(99.9), latency.max
    )
  )
end
