-- What can be promised: for each SKU's stock (KEYS) the units at each location (ARGV), row by row.
local cells = {}
for n = 1, #KEYS do
  local row = redis.call('HMGET', KEYS[n], unpack(ARGV))
  for m = 1, #row do
    cells[#cells + 1] = row[m]
  end
end
return cells
