-- Connections of some twenty requests: each request has one chance in twenty to be the last of its connection.
math.randomseed(os.time())

function request()
  return wrk.format(nil, nil, math.random(20) == 1 and { ["Connection"] = "close" } or {})
end
