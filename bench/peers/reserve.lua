-- Hold all lines or none.
-- KEYS: the reservation, the queue of expiries, then the stock of each line's SKU.
-- ARGV: request id, content, now and expiry (ms), until when it is remembered (ms), then location and units of each line.
-- Returns {0, available of each line} or {1} or, for a request id that was used, {2, content, created, expires}.
local known = redis.call('HMGET', KEYS[1], 'content', 'created', 'expires')
if known[1] then
  return {2, known[1], known[2], known[3]}
end
local answer, short = {0}, false
for n = 3, #KEYS do
  local available = tonumber(redis.call('HGET', KEYS[n], ARGV[2 * n]) or 0)
  answer[n - 1] = available
  short = short or available < tonumber(ARGV[2 * n + 1])
end
if short then
  return answer
end
for n = 3, #KEYS do
  redis.call('HINCRBY', KEYS[n], ARGV[2 * n], -ARGV[2 * n + 1])
end
redis.call('HSET', KEYS[1], 'state', 'held', 'content', ARGV[2], 'created', ARGV[3], 'expires', ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
return {1}
