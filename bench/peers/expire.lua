-- Give back what holds that ran out had. KEYS: the queue of expiries. ARGV: now (ms), how many at most.
-- Returns how many ended.
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ended) do
  local content = redis.call('HGET', 'reservation:' .. id, 'content')
  for sku, location, units in string.gmatch(content or '', '([^\t\n]+)\t([^\t\n]+)\t(%d+)') do
    redis.call('HINCRBY', 'stock:' .. sku, location, units)
  end
  if content then
    redis.call('HSET', 'reservation:' .. id, 'state', 'expired')
  end
  redis.call('ZREM', KEYS[1], id)
end
return #ended
