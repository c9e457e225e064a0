-- Guarded requests for wrk: each with a token of a file, over and over.
--
-- wrk … URL -- METHOD PATH HOST FILE BYTES [NAME VALUE]…
--   HOST   the host that the request names
--   FILE   one access token a line; `-` for requests without a token
--   BYTES  the length of the body; 0 for none
--   NAME VALUE  further headers

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

local requests, count = {}, 0

function init(args)
  local lines = { args[1] .. " " .. args[2] .. " HTTP/1.1", "Host: " .. args[3] }
  local body = string.rep("x", tonumber(args[5]))
  if #body > 0 then
    lines[#lines + 1] = "Content-Type: text/plain"
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  for place = 6, #args - 1, 2 do
    lines[#lines + 1] = args[place] .. ": " .. args[place + 1]
  end
  local head = table.concat(lines, "\r\n") .. "\r\n"
  if args[4] == "-" then
    requests[1] = head .. "\r\n" .. body
    return
  end
  for token in io.lines(args[4]) do
    requests[#requests + 1] = head .. "Authorization: Bearer " .. token .. "\r\n\r\n" .. body
  end
end

function request()
  count = count % #requests + 1
  return requests[count]
end
