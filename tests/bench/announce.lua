-- For wrk: announces of random peers in 10,000 swarms; with the argument `close` each by a connection of its own.
local hashes, headers = {}, {}
local function random_byte() return string.format("%%%02x", math.random(0, 255)) end

function init(args)
  math.randomseed(os.time())
  if args[1] == "close" then headers["Connection"] = "close" end
  for i = 1, 10000 do
    hashes[i] = string.format("%%%02x%%%02x", i % 256, math.floor(i / 256)) .. string.rep("%61", 18)
  end
end

function request()
  local id = {}
  for i = 1, 8 do id[i] = random_byte() end
  local path = "/announce?info_hash=" .. hashes[math.random(#hashes)] .. "&peer_id=-XX0001-abcd" .. table.concat(id)
    .. "&port=" .. math.random(1024, 65000) .. "&uploaded=0&downloaded=0&left=" .. (math.random() < 0.75 and 0 or 1000)
    .. "&compact=1&numwant=30&event=started"
  return wrk.format("GET", path, headers)
end
