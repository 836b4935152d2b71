-- Sends the bytes of a file as the request, and prints the result as a line of JSON.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local bytes = file:read("*a")
  file:close()
  -- wrk formats the request once, right after this; replacing that keeps it from calling Lua for each request.
  wrk.format = function() return bytes end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format(
    '{"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
