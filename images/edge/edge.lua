-- Purging, the key, and the figures of the edge.
--
-- What is kept is found by a key that begins with two numbers: how often everything was purged, and how often this path.
-- Purging only counts one of them up; what cannot be found any more leaves the disk when its place is needed. The numbers are
-- in memory, for all workers, and in /data/purged, a line each.

local cjson = require("cjson.safe")
local edge = {}

local FILE, PASSWORD = "/data/purged", "/run/secrets/password"
-- With more single paths than this, everything is purged instead.
local MAX_PATHS, MAX_PATH, MAX_LINES = 10000, 2048, 20000
local MAX_MANY = 100

local function keep(lines, how)
  local file = io.open(how == "a" and FILE or FILE .. ".half", how)
  local written = file and file:write(table.concat(lines, "\n"), "\n") and file:flush()
  if file then file:close() end
  return written and (how == "a" or os.rename(FILE .. ".half", FILE))
end

local function set_everything(count)
  ngx.shared.purged:flush_all()
  ngx.shared.purged:set("*", count)
  ngx.shared.figures:set("paths", 0)
end

-- Reads what was purged before this start, and the password.
function edge.start()
  set_everything(0)
  local file, read = io.open(FILE, "r"), 0
  for line in file and file:lines() or function() end do
    local count, path = line:match("^(%d+) (.+)$")
    read = read + 1
    if path == "*" then
      set_everything(tonumber(count))
    elseif path then
      ngx.shared.purged:set(path, tonumber(count))
      ngx.shared.figures:incr("paths", 1, 0)
    end
  end
  if file then file:close() end
  if read > MAX_LINES then
    set_everything(ngx.shared.purged:get("*") + 1)
    keep({ ngx.shared.purged:get("*") .. " *" }, "w")
  end
  local secret = assert(io.open(PASSWORD, "r"))
  ngx.shared.figures:set("password", (secret:read("*a"):gsub("%s+$", "")))
  secret:close()
end

-- What the key of a path begins with.
function edge.version(path)
  return ngx.shared.purged:get("*") .. "." .. (ngx.shared.purged:get(path:sub(1, MAX_PATH)) or 0) .. ":"
end

local function answer(status, value)
  ngx.status = status
  if value then
    ngx.header["Content-Type"] = "application/json"
    ngx.print(cjson.encode(value))
  end
  return ngx.exit(status)
end

-- Whether the owner asks; answers who does not.
local function admitted()
  local given = (ngx.var.http_authorization or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)%s*$") or ""
  -- Digests are compared, so that the time tells nothing of the password.
  if ngx.sha1_bin(given) == ngx.sha1_bin(ngx.shared.figures:get("password")) then return true end
  ngx.header["WWW-Authenticate"] = "Bearer"
  answer(401, { error = "this needs the header Authorization: Bearer with the deployment's password" })
end

local function body()
  ngx.req.read_body()
  return ngx.req.get_body_data() or ""
end

local function everything()
  local count = ngx.shared.purged:get("*") + 1
  if not keep({ count .. " *" }, "w") then return false end
  set_everything(count)
  return true
end

local function one(path)
  if (ngx.shared.figures:get("paths") or 0) >= MAX_PATHS then return everything() end
  local known = ngx.shared.purged:get(path)
  if not keep({ (known or 0) + 1 .. " " .. path }, "a") then return false end
  ngx.shared.purged:incr(path, 1, 0)
  if not known then ngx.shared.figures:incr("paths", 1, 0) end
  return true
end

-- The paths that a request names; nil for everything, and a second value for what is wrong.
local function named(asked)
  if type(asked) ~= "table" then return nil, "the body must be a JSON object" end
  if asked.everything == true then return nil end
  local paths = asked.path and { asked.path } or asked.paths
  if type(paths) ~= "table" or #paths == 0 or #paths > MAX_MANY then
    return nil, 'say {"path": "/logo.svg"}, {"paths": ["/a", "/b"]} with at most 100, or {"everything": true}'
  end
  for index, path in ipairs(paths) do
    if type(path) ~= "string" or #path > MAX_PATH or not path:match("^/[^%c?#]*$") then
      return nil, "a path begins with / and has no query string"
    end
    paths[index] = ngx.unescape_uri((path:gsub("%+", "%%2B")))
    if paths[index]:find("%c") then return nil, "a path has no control characters" end
  end
  return paths
end

-- POST /-/purge
function edge.purge()
  if not admitted() then return end
  if ngx.req.get_method() ~= "POST" then return answer(405, { error = "this address takes POST" }) end
  local paths, wrong = named(cjson.decode(body()))
  if wrong then return answer(400, { error = wrong }) end
  local done = paths == nil and everything() or paths ~= nil
  for _, path in ipairs(paths or {}) do done = done and one(path) end
  if not done then return answer(500, { error = "nothing could be written to the disk; what is kept is as before" }) end
  ngx.shared.figures:incr("purges", 1, 0)
  return answer(200, { purged = paths or "everything" })
end

-- PUT /-/password, from within the container.
function edge.change_password()
  if ngx.req.get_method() ~= "PUT" then return answer(404) end
  if not admitted() then return end
  local new = body():gsub("%s+$", "")
  if #new < 8 then return answer(400, { error = "that is no password" }) end
  ngx.shared.figures:set("password", new)
  return answer(204)
end

-- Counts a request that was answered.
function edge.count()
  local figures, var = ngx.shared.figures, ngx.var
  if var.uri:sub(1, 3) == "/-/" then return end
  local cache, bytes = var.cache:lower(), tonumber(var.bytes_sent) or 0
  figures:incr("requests:" .. cache, 1, 0)
  figures:incr("bytes", bytes, 0)
  -- Sent without asking the origin for it.
  if cache == "hit" or cache == "stale" then figures:incr("saved", bytes, 0) end
  if ngx.status >= 500 then figures:incr("errors", 1, 0) end
  local minute = math.floor(ngx.now() / 60)
  figures:incr("count:" .. minute, 1, 0, 180)
  figures:incr("time:" .. minute, 1000 * (tonumber(var.request_time) or 0), 0, 180)
end

-- The mean time of the last one to two minutes, in milliseconds.
local function pace()
  local figures, minute = ngx.shared.figures, math.floor(ngx.now() / 60)
  local count, time = 0, 0
  for _, at in ipairs({ minute - 1, minute }) do
    count = count + (figures:get("count:" .. at) or 0)
    time = time + (figures:get("time:" .. at) or 0)
  end
  return count > 0 and time / count or 0
end

-- GET /-/metrics
function edge.metrics()
  if not admitted() then return end
  local figures = ngx.shared.figures
  local function of(name) return figures:get(name) or 0 end
  local lines, all = {}, 0
  local function add(name, kind, told, value)
    table.insert(lines, ("# HELP %s %s\n# TYPE %s %s\n%s %.10g"):format(name, told, name, kind, name, value))
  end
  table.insert(lines, "# HELP edge_requests_total Requests, by where the answer came from.\n# TYPE edge_requests_total counter")
  for _, cache in ipairs({ "hit", "stale", "miss", "bypass" }) do
    all = all + of("requests:" .. cache)
    table.insert(lines, ('edge_requests_total{cache="%s"} %.10g'):format(cache, of("requests:" .. cache)))
  end
  local served = of("requests:hit") + of("requests:stale")
  add("edge_hits_total", "counter", "Requests that were answered from what is kept.", served)
  add("edge_hit_ratio", "gauge", "Their part of all requests, in percent.", all > 0 and 100 * served / all or 0)
  add("edge_bytes_total", "counter", "Bytes that were sent.", of("bytes"))
  add("edge_bytes_saved_total", "counter", "Bytes that were sent from what is kept.", of("saved"))
  add("edge_errors_total", "counter", "Answers with a status of 500 and above.", of("errors"))
  add("edge_purges_total", "counter", "Purges.", of("purges"))
  add("edge_response_milliseconds", "gauge", "Mean time of a request in the last two minutes.", pace())
  add("edge_connections", "gauge", "Open connections.", tonumber(ngx.var.connections_active) or 0)
  ngx.header["Content-Type"] = "text/plain; version=0.0.4"
  ngx.print(table.concat(lines, "\n"), "\n")
end

return edge
