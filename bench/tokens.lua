-- Token requests for wrk: the bodies of a file, each sent once.
--
-- wrk … URL -- PATH FILE FIRST CONNECTIONS [strict]
--   PATH         the token endpoint
--   FILE         one form body a line. The run ends early when they are used up: a second use would be refused
--   FIRST        how many lines earlier runs have sent
--   CONNECTIONS  how many wrk has open
--   strict       look at every answer: 200, with an access token that is a JWT, and a refresh token

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

local LINES = "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: node\r\nAccept: application/json\r\n"
  .. "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long us; } timeval; int gettimeofday(timeval *, void *);")

local bodies, sent, path = {}, 0, nil
local last, began

local function now()
  local time = ffi.new("timeval")
  ffi.C.gettimeofday(time, nil)
  return tonumber(time.s) * 1e6 + tonumber(time.us)
end

function init(args)
  path, sent = args[1], tonumber(args[3])
  for body in io.lines(args[2]) do
    bodies[#bodies + 1] = body
  end
  -- Each connection may send one more before the run has ended.
  last = #bodies - tonumber(args[4])
  if args[5] == "strict" then
    response = look -- wrk gathers answers only for a script that has `response`
  end
end

function request()
  began = began or now()
  if sent >= last and ended_after == 0 then
    ended_after = now() - began
    wrk.thread:stop()
  end
  sent = math.min(sent + 1, #bodies)
  local body = bodies[sent]
  return LINES:format(path, wrk.headers["Host"], #body, body)
end

function look(status, _, body)
  answered = answered + 1
  local is_right = status == 200
    and body:find('"access_token":"eyJ', 1, true)
    and body:find('"refresh_token":"', 1, true)
  if not is_right then
    wrong = wrong + 1
    if wrong == 1 then
      io.stderr:write(status, " ", body:sub(1, 400), "\n")
    end
  end
end
