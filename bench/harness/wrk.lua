-- Sends the blocks of bytes in the file named after `--` in turn, and prints one line of JSON at the end.
-- The file holds, for each block, its length in decimal, a line feed and the bytes. A block of several requests is pipelined.
-- Requests that asked the server to close the connection.
closes = 0
local loads = {}

function setup(thread)
  loads[#loads + 1] = thread
end

function init(args)
  local file, blocks, closing = assert(io.open(args[1], 'rb')), {}, {}
  for length in function() return file:read('*l') end do
    blocks[#blocks + 1] = file:read(tonumber(length))
    closing[#blocks] = blocks[#blocks]:find('\nConnection: close\r', 1, true) and 1 or 0
  end
  file:close()
  if #blocks == 1 then
    -- What wrk sends when there is no `request`: the same bytes again, without calling Lua.
    wrk.format = function() return blocks[1] end
    return
  end
  local n = 0
  request = function()
    n = n % #blocks + 1
    closes = closes + closing[n]
    return blocks[n]
  end
end

function done(summary, latency)
  local e, asked = summary.errors, 0
  for _, thread in ipairs(loads) do asked = asked + thread:get('closes') end
  print(string.format(
    'report {"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"answerBytes":%.1f,"errors":%d,"cut":%d,"closesAsked":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.bytes / math.max(summary.requests, 1), e.connect + e.read + e.write + e.status + e.timeout,
    e.read, asked
  ))
end
