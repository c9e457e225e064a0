-- Lookups for wrk: clients of a file, in the order of the file, over and over.
--
-- wrk … URL -- PATH FILE
--   PATH  what stands in front of an identifier
--   FILE  one identifier a line

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "result.lua")

local LINES = "GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n"

local requests, count = {}, 0

function init(args)
  for id in io.lines(args[2]) do
    requests[#requests + 1] = LINES:format(args[1], id, wrk.headers["Host"])
  end
end

function request()
  count = count % #requests + 1
  return requests[count]
end
