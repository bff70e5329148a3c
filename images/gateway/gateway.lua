-- Keys, limits, CORS and figures of a gateway. One worker runs it, so what is read and written without waiting in between
-- is one step.

local cjson = require("cjson.safe")
local figures, rates = ngx.shared.figures, ngx.shared.rates
local gateway = {}
local config

local MINUTE = 60000
-- Of so many keys and routes the figures are told apart; the others are counted together.
local MAX_ROWS = 5000
local TITLES = {
  [400] = "The request makes no sense", [401] = "A key is needed", [403] = "The key is for something else",
  [404] = "There is no such route", [405] = "The route does not take this method", [408] = "The request took too long",
  [411] = "The length is missing", [413] = "The request is too large", [414] = "The address is too long",
  [415] = "The kind of the body is not taken", [429] = "Too many requests", [494] = "The headers are too large",
  [500] = "The gateway failed", [502] = "The upstream does not answer", [503] = "The gateway is busy",
  [504] = "The upstream took too long",
}

function gateway.start(path)
  local file = assert(io.open(path, "r"))
  config = assert(cjson.decode(file:read("*a")))
  file:close()
  figures:set("password", config.password)
end

-- Answers with a problem (RFC 9457) and ends the request.
local function refuse(status, detail)
  ngx.status = status == 494 and 431 or status
  ngx.header["Content-Type"] = "application/problem+json"
  local title = TITLES[status] or "The request was refused"
  ngx.print(cjson.encode({ title = title, status = ngx.status, detail = detail }))
  return ngx.exit(ngx.HTTP_OK)
end

function gateway.refused()
  local is_upstreams = ngx.status == 502 or ngx.status == 504
  return refuse(ngx.status, is_upstreams and "Whether the upstream did anything is not known." or "Nothing was done.")
end

-- Compares in a time that does not tell how much of it is right.
local function same(one, other)
  if #one ~= #other then return false end
  local differ = 0
  for at = 1, #one do differ = bit.bor(differ, bit.bxor(one:byte(at), other:byte(at))) end
  return differ == 0
end

local function is_owner()
  local given = (ngx.var.http_authorization or ""):match("^[Bb]earer (.+)$")
  if given and same(given, figures:get("password")) then return true end
  refuse(401, "Send the password of the deployment as Authorization: Bearer.")
  return false
end

function gateway.password()
  if not is_owner() then return end
  ngx.req.read_body()
  local new = ngx.req.get_body_data() or ""
  if ngx.req.get_method() ~= "PUT" or not new:match("^[%w]+$") then return refuse(400, "Send the new password by PUT.") end
  figures:set("password", new)
  ngx.status = 204
end

-- The key that came with the request: as a bearer token, as X-API-Key, or where the address may have it, as ?key=.
local function given_key(in_address)
  local bearer = (ngx.var.http_authorization or ""):match("^[Bb]earer (.+)$")
  if bearer and config.keys[bearer] then
    ngx.req.clear_header("Authorization") -- it is ours, not the upstream's
    return config.keys[bearer]
  end
  local key = ngx.var.http_x_api_key or (in_address and ngx.var.arg_key and ngx.unescape_uri(ngx.var.arg_key))
  return key and config.keys[key], key or (next(config.keys) and bearer)
end

-- The generic cell rate algorithm: so many at once, and so many in each minute from then on.
local function limit(name, per_minute)
  if not per_minute then return true end
  local now, step = ngx.now() * 1000, MINUTE / per_minute
  local full = math.max(rates:get(name) or 0, now) + step
  local left = math.floor((MINUTE - (full - now)) / step)
  ngx.header["RateLimit-Limit"] = per_minute
  ngx.header["RateLimit-Remaining"] = math.max(left, 0)
  if full - now > MINUTE + 0.5 then
    ngx.header["Retry-After"] = math.ceil((full - now - MINUTE) / 1000)
    ngx.req.discard_body()
    refuse(429, "This key has used up what it may ask in a minute. Wait as long as Retry-After says.")
    return false
  end
  rates:set(name, full, 120)
  return true
end

-- Lets in whose key fits. Gives the key's name; nothing when it was refused.
function gateway.admit(needs_key, may, per_minute, in_address)
  local key, wrong = given_key(in_address)
  if key and not may(key) then
    ngx.var.gw_key = key.name
    refuse(403, "This key is not for this route. Use one that is.")
    return nil
  end
  if not key and (needs_key or wrong and ngx.var.http_x_api_key) then
    refuse(401, "Send a key of this gateway as Authorization: Bearer or as X-API-Key.")
    return nil
  end
  ngx.var.gw_key = key and key.name or "-"
  local rate = key and key.perMinute or per_minute
  if not limit(ngx.var.gw_key .. (key and "" or " " .. ngx.var.gw_route), rate) then return nil end
  return ngx.var.gw_key, key
end

local function allowed_origin()
  local origin = ngx.var.http_origin
  for _, known in ipairs(origin and config.cors and config.cors.origins or {}) do
    if known == "*" or known == origin then return known end
  end
end

-- Answers what browsers ask before a request from another origin.
function gateway.preflight(methods)
  if ngx.req.get_method() ~= "OPTIONS" or not ngx.var.http_access_control_request_method then return false end
  if not allowed_origin() then
    refuse(403, "This origin may not ask here.")
    return true
  end
  ngx.header["Access-Control-Allow-Methods"] = methods
  ngx.header["Access-Control-Allow-Headers"] = config.cors.headers
  ngx.header["Access-Control-Max-Age"] = config.cors.maxAge
  ngx.status = 204
  ngx.exit(204)
  return true
end

function gateway.headers()
  local allowed = allowed_origin()
  if allowed then
    ngx.header["Access-Control-Allow-Origin"] = allowed
    ngx.header["Access-Control-Expose-Headers"] = "RateLimit-Limit, RateLimit-Remaining, Retry-After"
    if config.cors.credentials then ngx.header["Access-Control-Allow-Credentials"] = "true" end
    if allowed ~= "*" then ngx.header["Vary"] = "Origin" end
  end
end

-- Whether a path is a prefix or below it.
local function is_below(uri, path)
  if path == "/" then return true end
  return uri:sub(1, #path) == path and (#uri == #path or uri:sub(#path + 1, #path + 1) == "/")
end

-- Finds the route of a request and hands it over. What is forwarded is the address as it was understood here, so that
-- nobody else understands it otherwise.
function gateway.route()
  local uri, method, others = ngx.var.uri, ngx.req.get_method(), {}
  for _, route in ipairs(config.routes) do
    if is_below(uri, route.path) then
      if gateway.preflight(route.allow) then return end
      if route.methods[method] then
        ngx.var.gw_route = route.name
        local may = function(key) return not key.routes or key.routes[route.name] end
        if not gateway.admit(route.needsKey, may, route.perMinute) then return end
        local length = tonumber(ngx.var.http_content_length)
        if length and length > route.maxBody then
          return refuse(413, "A request for this route has at most " .. route.maxBody .. " bytes.")
        end
        local rest = route.strip and uri:sub(#route.path == 1 and 1 or #route.path + 1) or uri
        if rest:sub(1, 1) ~= "/" then rest = "/" .. rest end
        ngx.var.gw_target = route.upstream .. ngx.escape_uri(route.base .. rest, 0) .. (ngx.var.is_args or "") .. (ngx.var.args or "")
        return ngx.exec(route.location)
      end
      others[#others + 1] = route.allow
    end
  end
  if #others > 0 then
    ngx.header["Allow"] = table.concat(others, ", ")
    return refuse(405, "Use one of " .. table.concat(others, ", ") .. ".")
  end
  return refuse(404, "No route of this gateway has this path.")
end

-- Who publishes to a channel, or listens to it.
function gateway.channel(name)
  local method = ngx.req.get_method()
  local publishes = method == "POST" or method == "PUT"
  ngx.var.gw_route = publishes and "publish" or "subscribe"
  if gateway.preflight("GET, POST") then return end
  if not (publishes or method == "GET") then return refuse(405, "Use POST to publish and GET to subscribe.") end
  local may = function(key)
    for _, pattern in ipairs(key[publishes and "publish" or "subscribe"]) do
      if name:find(pattern) then return true end
    end
  end
  local who, key = gateway.admit(publishes or not config.anonymous, may, config.perMinute, not publishes)
  if not who then return end
  ngx.var.gw_route = ngx.var.gw_route .. " " .. name -- names that strangers make up are not counted one by one
  if publishes then return ngx.exec("@publish") end
  if not gateway.connect(key) then return end
  return ngx.exec("@subscribe")
end

-- Counts a connection that lasts; false when the key has as many as it may.
function gateway.connect(key)
  local name = ngx.var.gw_key
  local most = key and key.connections or config.connections
  local open = figures:incr("open " .. name, 1, 0)
  if open > most then
    figures:incr("open " .. name, -1)
    refuse(429, "This key has as many connections as it may. Close one.")
    return false
  end
  ngx.var.gw_open = "1"
  figures:incr("connections", 1, 0)
  return true
end

-- A connection that the upstream keeps open.
function gateway.socket()
  ngx.var.gw_route = "upstream"
  if not config.upstream then return refuse(404, "Channels are below /channels/. There is no upstream here.") end
  local name, key = gateway.admit(not config.anonymous, function() return true end, config.perMinute, true)
  if not name or not gateway.connect(key) then return end
  local args = ngx.req.get_uri_args(50)
  args.key = nil -- it is for this gateway alone
  local query = ngx.encode_args(args)
  ngx.var.gw_target = config.upstream .. ngx.escape_uri(config.base .. ngx.var.uri, 0) .. (query ~= "" and "?" .. query or "")
end

-- One GraphQL endpoint.
function gateway.graphql()
  ngx.var.gw_route = "graphql"
  if gateway.preflight("GET, POST") then return end
  gateway.admit(config.needsKey, function() return true end, config.perMinute)
end

local SUMS = { "requests", "errors", "refused", "received", "sent", "ms" }

-- Under which name the figures of a key and a route are kept.
local function row_of(key, route)
  local row = "of\t" .. key .. "\t" .. route .. "\t"
  if figures:get(row .. "requests") then return row end
  if (figures:get("rows") or 0) >= MAX_ROWS then return "of\t-\tothers\t" end
  figures:incr("rows", 1, 0)
  return row
end

function gateway.count()
  local route, key = ngx.var.gw_route or "", ngx.var.gw_key or ""
  if ngx.var.gw_open == "1" then
    figures:incr("open " .. key, -1)
    figures:incr("connections", -1)
  end
  if ngx.var.uri:sub(1, 3) == "/-/" and route == "" then return end
  local status = ngx.status
  local ms = math.floor(tonumber(ngx.var.request_time or 0) * 1000 + 0.5)
  local sums = {
    requests = 1, errors = status >= 500 and 1 or 0, refused = status >= 400 and status < 500 and 1 or 0,
    received = tonumber(ngx.var.request_length) or 0, sent = tonumber(ngx.var.bytes_sent) or 0,
    ms = ngx.var.gw_open == "1" and 0 or ms, -- how long a connection lasts is no time of an answer
  }
  local row = route ~= "" and row_of(key == "" and "-" or key, route)
  for _, name in ipairs(SUMS) do
    figures:incr("all\t" .. name, sums[name], 0)
    if row then figures:incr(row .. name, sums[name], 0) end
  end
  if ngx.var.upstream_http_x_cache == "HIT" then figures:incr("cacheHits", 1, 0) end
  if ngx.var.gw_open ~= "1" then
    local minute = math.floor(ngx.time() / 60)
    figures:incr("count " .. minute, 1, 0, 180)
    figures:incr("took " .. minute, ms, 0, 180)
  end
end

-- How long an answer took on average, in this minute and the one before; over all where there was none.
local function average()
  local minute, count, took = math.floor(ngx.time() / 60), 0, 0
  for past = 0, 1 do
    count = count + (figures:get("count " .. minute - past) or 0)
    took = took + (figures:get("took " .. minute - past) or 0)
  end
  if count == 0 then
    count, took = figures:get("all\trequests") or 0, figures:get("all\tms") or 0
  end
  return count > 0 and took / count or 0
end

function gateway.metrics()
  if not is_owner() then return end
  local answer = { connections = figures:get("connections") or 0, avgResponseMs = average(), cacheHits = figures:get("cacheHits") or 0 }
  for _, name in ipairs(SUMS) do answer[name] = figures:get("all\t" .. name) or 0 end
  ngx.header["Content-Type"] = "application/json"
  ngx.print(cjson.encode(answer))
end

-- What each key asked of each route since this gateway was started.
function gateway.usage()
  if not is_owner() then return end
  local rows, found = {}, {}
  for _, name in ipairs(figures:get_keys(0)) do
    local key, route, sum = name:match("^of\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
    if key then
      local id = key .. "\t" .. route
      if not found[id] then
        found[id] = { key = key, route = route }
        rows[#rows + 1] = found[id]
      end
      found[id][sum] = figures:get(name)
    end
  end
  table.sort(rows, function(a, b) return a.key .. "\t" .. a.route < b.key .. "\t" .. b.route end)
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"usage":', #rows > 0 and cjson.encode(rows) or "[]", "}")
end

return gateway
