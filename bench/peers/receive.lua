-- Record receipts, each once. KEYS: the set of locations. ARGV: source, movement id, location, SKU and units of each.
-- Returns whether it was new (1 or 0) and the units on hand after it, of each.
local answer = {}
for n = 1, #ARGV, 5 do
  local location, sku, units = ARGV[n + 2], ARGV[n + 3], ARGV[n + 4]
  local new = redis.call('SADD', 'movements:' .. ARGV[n], ARGV[n + 1])
  if new == 1 then
    redis.call('SADD', KEYS[1], location)
    redis.call('HINCRBY', 'stock:' .. sku, location, units)
    redis.call('HINCRBY', 'on_hand:' .. sku, location, units)
  end
  answer[#answer + 1] = new
  answer[#answer + 1] = tonumber(redis.call('HGET', 'on_hand:' .. sku, location))
end
return answer
