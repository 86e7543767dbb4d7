-- Every thread goes through the client addresses in turn, from a place of its own. Requests are made beforehand: the load
-- generator shares the processor with what it measures, and what it spends blurs the ratio.
local addresses = tonumber(os.getenv("ADDRESSES"))
local threads = tonumber(os.getenv("THREADS"))
local started = 0
local requests = {}
local place

function setup(thread)
  thread:set("first", math.floor(started * addresses / threads))
  started = started + 1
end

function init()
  for a = 1, addresses do
    wrk.headers["X-Forwarded-For"] = string.format("10.1.%d.%d", (a - 1) / 256, (a - 1) % 256)
    requests[a] = wrk.format("GET")
  end
  place = first
end

function request()
  place = place % addresses + 1
  return requests[place]
end

function done(summary, latency)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  print(string.format("measured %d %d %d %d %d",
    summary.requests, summary.duration, latency:percentile(99), broken, summary.errors.status))
end
