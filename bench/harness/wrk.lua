-- Asks for the paths given after `--` in turn, and prints one line of JSON at the end.
function init(args)
  if #args < 2 then return end -- one path: wrk sends the same bytes again without calling Lua
  local requests, n = {}, 0
  for i, path in ipairs(args) do requests[i] = wrk.format('GET', path) end
  request = function()
    n = n % #requests + 1
    return requests[n]
  end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    'report {"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"errors":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
