-- Sends the blocks of bytes in the file named after `--` in turn, and prints one line of JSON at the end.
-- The file holds, for each block, its length in decimal, a line feed and the bytes. A block of several requests is pipelined.
function init(args)
  local file, blocks = assert(io.open(args[1], 'rb')), {}
  for length in function() return file:read('*l') end do
    blocks[#blocks + 1] = file:read(tonumber(length))
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
    return blocks[n]
  end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    'report {"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"answerBytes":%.1f,"errors":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.bytes / math.max(summary.requests, 1), e.connect + e.read + e.write + e.status + e.timeout
  ))
end
