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

local FOLDER = debug.getinfo(1, "S").source:match("^@(.*/)")

dofile(FOLDER .. "result.lua")

local LINES = "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: node\r\nAccept: application/json\r\n"
  .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
-- In `bodies.jsonl`, `{unique}` stands for the eleven characters that make a body unique. Every member is one
-- that all servers compared here accept; see README.md.
local UNIQUE = 11

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
  for line in io.lines(FOLDER .. "bodies.jsonl") do
    local body, places = line:gsub("{unique}", "\1")
    local length = #body + places * (UNIQUE - 1)
    parts[#parts + 1] = split(LINES:format(args[1], wrk.headers["Host"], length, body))
  end
  count, bodies, high = 0, #parts, run .. low[0]
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
