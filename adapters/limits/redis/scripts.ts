// The steps on the server. Each is one script, so that no other request comes between, and each asks the server for the time,
// so that the clocks of replicas do not count. The rules are those of core/window and core/slot, word for word.
//
// A bucket is one number, the score of its client: the end of its window in milliseconds since 2026, times 8,192, plus its
// count, which is 6,000 at most. So the oldest window comes first, and a double holds it exactly until 2060.

import { createHash } from "node:crypto";

export type Script = { readonly text: string; readonly sha: string };

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

const TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) - 1767225600000
local function written(number) return string.format('%.0f', number) end
`;

const BUCKETS = `
local STEP = 8192
local function endOf(bucket) return math.floor(tonumber(bucket) / STEP) end
local function isLive(bucket) return bucket and now < endOf(bucket) end
`;

const SLOTS = `
local function hasSlot(key, limit)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', written(now))
  return redis.call('ZCARD', key) < limit
end
local function takeSlot(key, id, lease)
  redis.call('ZADD', key, written(now + lease), id)
  redis.call('PEXPIRE', key, lease)
end
`;

//= LIMIT-14, LIMIT-16, SLOT-6
/**
 * Counts a request and, if its window has room, takes a slot. KEYS: strangers, known, overflow, client, peer. ARGV: client,
 * requests in a window, its milliseconds, slots of the client, of the peer (0: none is taken), most strangers, id of the slot,
 * milliseconds of the lease and of being known. Gives what it says (0 admitted, 1 rate limited, 2 too many in flight), the count
 * of the window, milliseconds until it ends, and whether the client is known (1: its last window is too long ago, 2: it is).
 */
export const ADMIT = script(`${TIME}${BUCKETS}${SLOTS}
local client, limit, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local peerSlots, capacity, lease = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[8]
local place, own, known = KEYS[2], redis.call('ZSCORE', KEYS[2], client), 0
if own then
  known = now < endOf(own) + tonumber(ARGV[9]) and 2 or 1
else
  place, own = KEYS[1], redis.call('ZSCORE', KEYS[1], client)
end
if not own then
  local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. written((now + 1) * STEP), 'LIMIT', 0, 64)
  if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
  local shared = redis.call('GET', KEYS[3])
  if isLive(shared) or redis.call('ZCARD', KEYS[1]) >= capacity then place, own = KEYS[3], shared end
end
local ends, count = now + window, 0
if isLive(own) then
  ends = endOf(own)
  count = tonumber(own) - ends * STEP
end
if count >= limit then return {1, count, ends - now, 0} end
count = count + 1
local bucket = written(ends * STEP + count)
if place == KEYS[3] then
  redis.call('SET', place, bucket, 'PX', written(ends - now))
else
  redis.call('ZADD', place, bucket, client)
  redis.call('PEXPIRE', place, place == KEYS[2] and ARGV[9] + window or window)
end
if not hasSlot(KEYS[4], tonumber(ARGV[4])) then return {2, count, ends - now, 0} end
if peerSlots > 0 and not hasSlot(KEYS[5], peerSlots) then return {2, count, ends - now, 0} end
takeSlot(KEYS[4], ARGV[7], lease)
if peerSlots > 0 then takeSlot(KEYS[5], ARGV[7], lease) end
return {0, count, ends - now, known}
`);

//= LIMIT-16
/**
 * Keeps the client among the known ones, where there is room, with its count; on a signed route it takes a slot of the peer.
 * KEYS: strangers, known, overflow, peer. ARGV: client, most known clients, slots of the peer (0: none is taken), id of the slot,
 * milliseconds of the lease and of being known. Gives 1, or 0 when the peer has no slot left.
 */
export const CONFIRM = script(`${TIME}${BUCKETS}${SLOTS}
local client, peerSlots = ARGV[1], tonumber(ARGV[3])
if not redis.call('ZSCORE', KEYS[2], client) then
  local bucket = redis.call('ZSCORE', KEYS[1], client) or redis.call('GET', KEYS[3])
  local isFree = redis.call('ZCARD', KEYS[2]) < tonumber(ARGV[2])
  if bucket and not isFree then
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    isFree = not isLive(oldest[2])
    if isFree then redis.call('ZREM', KEYS[2], oldest[1]) end
  end
  if bucket and isFree then
    redis.call('ZADD', KEYS[2], bucket, client)
    redis.call('PEXPIRE', KEYS[2], ARGV[6])
    redis.call('ZREM', KEYS[1], client)
  end
end
if peerSlots == 0 then return 1 end
if not hasSlot(KEYS[4], peerSlots) then return 0 end
takeSlot(KEYS[4], ARGV[4], ARGV[5])
return 1
`);

/** Gives a slot back, wherever it was taken. KEYS: client, peer. ARGV: its id. */
export const RELEASE = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);

//= SLOT-6
/** A slot is held for longer, also when the server has forgotten it. KEYS: client[, peer]. ARGV: its id, milliseconds of the lease. */
export const RENEW = script(`${TIME}${SLOTS}
for _, key in ipairs(KEYS) do takeSlot(key, ARGV[1], ARGV[2]) end
return 1
`);

/** Whether the server runs scripts and takes writes. KEYS: a key of its own. */
export const PROBE = script(`
redis.call('SET', KEYS[1], '1', 'PX', 60000)
return 1
`);
