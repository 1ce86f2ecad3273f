/**
 * What the store in Redis does there, in one step each. A session has three
 * keys: a hash of what it is, its output by name, and the order of the output.
 * All numbers of a stream pass as text: Lua would round those past 2^53 when it
 * prints them, and prints those past 10^14 with an exponent. An expiry is so
 * many milliseconds from now: the clock of Redis need not be that of a server.
 */

/** KEYS: hash. ARGV: expiry, then fields and values. */
export const CREATE: string = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`;

/**
 * KEYS: hash, output, order. ARGV: from, to, expiry, secret, next secret.
 * Gives the hash, the names of the output in order, and the output.
 */
export const CLAIM: string = `
local hash, output, order = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HGET', hash, 'epoch') ~= ARGV[1] then return false end
if redis.call('HEXISTS', hash, 'ended') == 1 then return false end
redis.call('HSET', hash, 'epoch', ARGV[2], 'secret', ARGV[4], 'next', ARGV[5])
redis.call('HDEL', hash, 'seq')
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
local names = redis.call('ZRANGE', order, 0, -1)
local frames = {}
for i, name in ipairs(names) do
  frames[i] = redis.call('HGET', output, name)
end
return { redis.call('HGETALL', hash), names, frames }`;

// What the peer has, from the front.
const TRIM = `
local function trim(output, order, acked)
  while true do
    local name = redis.call('ZRANGE', order, 0, 0)[1]
    if not name then return end
    if tonumber(string.match(name, ':(%d+)$')) > acked then return end
    redis.call('HDEL', output, name)
    redis.call('ZREM', order, name)
  end
end
`;

/**
 * KEYS: hash, output and order of each change. ARGV: of each change epoch,
 * sequence number, expiry, acked, end, how many fields and how many frames
 * follow; then the fields with their values, and from, to and bytes of each
 * frame. Gives the numbers, from 1, of the changes that are turned away.
 *
 * A call that timed out may be carried out after its repetition, when Redis was
 * frozen and both lay in sockets: the sequence number turns it away. One that
 * was carried out and is repeated brings the same frames again, perhaps with
 * more behind them: they replace what is there from their start.
 */
export const COMMIT: string = `${TRIM}
local away, at = {}, 1
for i = 1, #KEYS / 3 do
  local hash, output, order = KEYS[3*i-2], KEYS[3*i-1], KEYS[3*i]
  local epoch, seq, expiry, acked, ended = unpack(ARGV, at, at + 4)
  local fields, frames = tonumber(ARGV[at+5]), tonumber(ARGV[at+6])
  local first = at + 7
  local body = first + 2 * fields
  at = body + 3 * frames
  local known = redis.call('HMGET', hash, 'epoch', 'seq')
  if known[1] ~= epoch then
    away[#away+1] = i
  elseif tonumber(known[2] or 0) < tonumber(seq) then
    redis.call('HSET', hash, 'seq', seq, unpack(ARGV, first, body - 1))
    for f = body, at - 1, 3 do
      local from, to = ARGV[f], ARGV[f+1]
      for _, old in ipairs(redis.call('ZRANGEBYSCORE', order, from, '+inf')) do
        redis.call('HDEL', output, old)
        redis.call('ZREM', order, old)
      end
      local name = from .. ':' .. to
      redis.call('HSET', output, name, ARGV[f+2])
      redis.call('ZADD', order, from, name)
    end
    trim(output, order, tonumber(acked))
    if ended == 'forgotten' then
      redis.call('DEL', hash, output, order)
    else
      if ended ~= '' then
        redis.call('DEL', output, order)
        redis.call('HDEL', hash, 'state')
        redis.call('HSET', hash, 'ended', ended)
      end
      redis.call('PEXPIRE', hash, expiry)
      redis.call('PEXPIRE', output, expiry)
      redis.call('PEXPIRE', order, expiry)
    end
  end
end
return away`;

/**
 * The same keys; ARGV: of each change epoch and acked. A Redis that is full
 * takes nothing more, and gives back what peers have, so that it need not stay
 * so.
 */
export const RELIEVE: string = `${TRIM}
for i = 1, #KEYS / 3 do
  if redis.call('HGET', KEYS[3*i-2], 'epoch') == ARGV[2*i-1] then
    trim(KEYS[3*i-1], KEYS[3*i], tonumber(ARGV[2*i]))
  end
end
return 0`;
