-- Token requests for wrk: the bodies of a file, each sent once.
--
-- wrk … URL -- PATH FILE FIRST [strict]
--   PATH    the token endpoint
--   FILE    one form body a line; whoever comes to its end sends the last one again, which is refused
--   FIRST   how many lines earlier runs have sent
--   strict  look at every answer: 200, with an access token that is a JWT, and a refresh token

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

local LINES = "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: node\r\nAccept: application/json\r\n"
  .. "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"

local bodies, sent, path = {}, 0, nil

function init(args)
  path, sent = args[1], tonumber(args[3])
  for body in io.lines(args[2]) do
    bodies[#bodies + 1] = body
  end
  if args[4] == "strict" then
    response = look -- wrk gathers answers only for a script that has `response`
  end
end

function request()
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
