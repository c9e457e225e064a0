-- Registrations for wrk: every body is unique, about 500 bytes, and of the kind that MCP clients send.
--
-- The text of a request is laid out once. A request then costs one counter and one concatenation, so
-- that the generator is not what is measured; `run` reports how busy its core was.
--
-- wrk … URL -- PATH RUN [strict]
--   PATH    the registration endpoint
--   RUN     three characters that no other run against this server has
--   strict  look at every answer: 201, and a client_id in it (costs the generator more than a tenth of
--           its rate, so it is for the warm-up)

-- `@` stands for the eleven characters that make a body unique. Every member is one that all servers
-- compared here accept; see README.md.
local BODIES = {
  '{"client_name":"Simple OAuth MCP Client @","redirect_uris":["http://localhost:8090/callback/@",'
    .. '"http://127.0.0.1:8090/callback/@"],"grant_types":["authorization_code","refresh_token"],'
    .. '"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native",'
    .. '"scope":"mcp:tools mcp:resources","client_uri":"https://client.example.com/mcp",'
    .. '"logo_uri":"https://client.example.com/mcp/logo.png"}',
  '{"redirect_uris":["http://127.0.0.1:53682/oauth/callback/@"],"client_name":"Terminal Assistant @",'
    .. '"client_uri":"https://assistant.example.com","grant_types":["authorization_code","refresh_token"],'
    .. '"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native",'
    .. '"scope":"openid offline_access mcp:tools","contacts":["support@example.com"],'
    .. '"software_id":"2e1ed022-48c2-4d5a-9a2f-0a8ad0c53d3e","software_version":"1.29.0"}',
  '{"client_name":"Hosted Assistant @","redirect_uris":["https://assistant.example.com/api/oauth/@/callback"],'
    .. '"grant_types":["authorization_code","refresh_token"],"response_types":["code"],'
    .. '"token_endpoint_auth_method":"none","application_type":"web","client_uri":"https://assistant.example.com",'
    .. '"logo_uri":"https://assistant.example.com/static/logo.svg","tos_uri":"https://assistant.example.com/terms",'
    .. '"policy_uri":"https://assistant.example.com/privacy"}',
  '{"client_name":"Editor Extension @","redirect_uris":["http://127.0.0.1:33418/@","http://127.0.0.1:33419/@",'
    .. '"https://editor.example.com/redirect/@"],"grant_types":["authorization_code","refresh_token"],'
    .. '"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native",'
    .. '"client_uri":"https://editor.example.com","policy_uri":"https://editor.example.com/privacy",'
    .. '"scope":"mcp:tools mcp:resources"}',
}

local LINES = "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: node\r\nAccept: application/json\r\n"
  .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
local UNIQUE = 11

-- One thread's table of globals is all that `done` can read of it.
answered, wrong = 0, 0

local low = {} -- "0000" to "9999"
local parts = {} -- per body: the text between the placeholders
local run, high, count, bodies

local function split(text)
  local pieces = {}
  for piece in (text .. "\1"):gmatch("([^\1]*)\1") do
    pieces[#pieces + 1] = piece
  end
  return pieces
end

function init(args)
  run = args[2]
  assert(#run == 3, "RUN has three characters")
  for i = 0, 9999 do
    low[i] = string.format("%04d", i)
  end
  for i, body in ipairs(BODIES) do
    local _, places = body:gsub("@%f[^@%w]", "") -- not the @ of an address
    body = body:gsub("@%f[^@%w]", "\1")
    local length = #body + places * (UNIQUE - 1)
    parts[i] = split(LINES:format(args[1], wrk.headers["Host"], length, body))
  end
  count, bodies, high = 0, #BODIES, run .. low[0]
  if args[3] == "strict" then
    response = look -- wrk gathers answers only for a script that has `response`
  end
end

function request()
  count = count + 1
  local lowest = count % 10000
  if lowest == 0 then
    high = run .. low[count / 10000 % 10000]
  end
  local unique = high .. low[lowest]
  local piece = parts[count % bodies + 1]
  local places = #piece - 1
  if places == 3 then
    return piece[1] .. unique .. piece[2] .. unique .. piece[3] .. unique .. piece[4]
  elseif places == 2 then
    return piece[1] .. unique .. piece[2] .. unique .. piece[3]
  end
  return table.concat(piece, unique)
end

function look(status, _, body)
  answered = answered + 1
  if status ~= 201 or not body:find('"client_id"', 1, true) then
    wrong = wrong + 1
    if wrong == 1 then
      io.stderr:write(status, " ", body:sub(1, 400), "\n")
    end
  end
end

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
