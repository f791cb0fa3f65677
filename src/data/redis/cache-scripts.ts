// What the cache does in Redis, each in one step that nothing comes between.
//
// The fence is one string for each partition: 16 bytes of epoch, 8 of sequence, 40 of the server's run id, then 8 for each bucket of tags.
// An invalidation adds one to the sequence and writes it into the buckets of its tags. A lease remembers the sequence of its claim; its value
// is stored, and later found, only while the epoch is the same and no bucket of it is newer. So an invalidation costs a few bytes however many
// values it concerns (docs/decisions/0009-fence-in-redis.md), and what Redis forgets makes values unfindable, never findable again:
//   - the fence is evicted or flushed: the next one has another epoch, and nothing from before counts
//   - the server was restarted, perhaps from an older snapshot, or a replica took over: the run id differs, so the epoch is made anew
//   - the server is full: an invalidation that cannot be written deletes the fence, which needs no room
import { script } from './script.ts'

/** How they write the fence; in front of each that needs it. A fence that is not ours is made anew. */
const FENCE = `
local function make(nonce)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
  run = string.sub(run .. string.rep(' ', 40), 1, 40)
  redis.call('DEL', fence)
  local made = nonce .. struct.pack('>I8', 1) .. run
  local ok = redis.pcall('SET', fence, made)
  if ok.err then return nil end
  return made
end
local function head()
  local got = redis.pcall('GETRANGE', fence, 0, 63)
  if type(got) ~= 'string' or #got < 64 then return nil end
  return got
end
local function newest(packed, since)
  for n = 1, #packed, 4 do
    local at = 64 + 8 * struct.unpack('>I4', packed, n)
    local mark = redis.call('GETRANGE', fence, at, at + 7)
    if #mark == 8 and struct.unpack('>I8', mark) > since then return false end
  end
  return true
end
`

/**
 * Finds the value, or takes the lease.
 *
 * @returns {state, poisoned, ...}: found and held-stale with value and ms left; stale with those, epoch and sequence; yours with epoch and sequence;
 *   held with the lease's ms left; failed with message and ms left; large; full
 */
export const CLAIM = script({
  keys: ['fence', 'value', 'lease', 'pause'],
  args: ['token', 'leaseMs', 'nonce', 'freshForMs', 'magic'],
  lua: `${FENCE}
local top = head() or make(nonce)
if not top then return {'full', 0} end
local epoch = string.sub(top, 1, 16)
local sequence = struct.unpack('>I8', top, 17)

local poisoned, left, isFresh = 0, nil, false
local got = redis.pcall('GETRANGE', value, 0, 34)
if type(got) ~= 'string' then
  poisoned = 1
elseif #got > 0 then
  if #got < 35 or string.sub(got, 1, 3) ~= magic then
    poisoned = 1
  else
    local since = struct.unpack('>I8', got, 20)
    local staleMs = struct.unpack('>I6', got, 28)
    local count = struct.unpack('>I2', got, 34)
    local packed = redis.call('GETRANGE', value, 35, 34 + 4 * count)
    left = redis.call('PTTL', value)
    if #packed < 4 * count or left <= 0 then
      poisoned, left = 1, nil
    elseif string.sub(got, 4, 19) ~= epoch or not newest(packed, since) then
      redis.call('DEL', value)
      left = nil
    else
      local fresh = left - staleMs
      isFresh = fresh > 0 and fresh >= tonumber(freshForMs)
    end
  end
end
if poisoned == 1 then redis.call('DEL', value) end
if isFresh then return {'found', poisoned, redis.call('GET', value), left} end

local paused = redis.pcall('GET', pause)
if type(paused) ~= 'string' then paused = nil end
local holder = redis.pcall('GET', lease)
if type(holder) == 'table' then redis.call('DEL', lease) holder = false end

if not paused and not holder then
  local ok = redis.pcall('SET', lease, '-' .. token, 'PX', leaseMs)
  if ok.err then
    if left then return {'kept', poisoned, redis.call('GET', value), left} end
    return {'full', poisoned}
  end
  if left then return {'stale', poisoned, redis.call('GET', value), left, epoch, sequence} end
  return {'yours', poisoned, epoch, sequence}
end
if left then return {'kept', poisoned, redis.call('GET', value), left} end
if holder then
  -- Whoever ends it shall say so.
  if string.sub(holder, 1, 1) ~= '+' then redis.pcall('SETRANGE', lease, 0, '+') end
  return {'held', poisoned, redis.call('PTTL', lease)}
end
if string.sub(paused, 1, 1) == 'F' then return {'failed', poisoned, string.sub(paused, 2), redis.call('PTTL', pause)} end
return {'large', poisoned}`,
})

/** Ends a lease with a value, a pause or nothing; with `forgets` what was there goes. @returns stored, fenced, lost, full or ended */
export const END = script({
  keys: ['fence', 'value', 'lease', 'pause'],
  args: ['token', 'epoch', 'sequence', 'sealed', 'keepMs', 'packed', 'paused', 'pauseMs', 'forgets', 'ended'],
  lua: `${FENCE}
local holder = redis.pcall('GET', lease)
if type(holder) ~= 'string' or string.sub(holder, 2) ~= token then return 'lost' end
local result = 'ended'
-- What needs room goes first: a full server refuses it only to a script that has written nothing yet.
if #paused > 0 then
  redis.pcall('SET', pause, paused, 'PX', pauseMs)
elseif #sealed > 0 then
  local top = head()
  if not top or string.sub(top, 1, 16) ~= epoch or not newest(packed, tonumber(sequence)) then
    result = 'fenced'
  else
    local ok = redis.pcall('SET', value, sealed, 'PX', keepMs)
    result = ok.err and 'full' or 'stored'
    redis.call('DEL', pause)
  end
end
if forgets == '1' then redis.call('DEL', value) end
redis.call('DEL', lease)
if string.sub(holder, 1, 1) == '+' then redis.call('PUBLISH', ended, lease) end
return result`,
})

/** @returns 1 while the lease is this one's */
export const RENEW = script({
  keys: ['lease'],
  args: ['token', 'leaseMs'],
  lua: `
local holder = redis.pcall('GET', lease)
if type(holder) ~= 'string' or string.sub(holder, 2) ~= token then return 0 end
return redis.call('PEXPIRE', lease, leaseMs)`,
})

/** Moves the fence, and tells everybody where there is a channel. @returns how many hear it */
export const INVALIDATE = script({
  keys: ['fence'],
  args: ['packed', 'nonce', 'publish', 'channel', 'message'],
  lua: `${FENCE}
local top = head()
local sequence
if top then
  sequence = struct.unpack('>I8', top, 17) + 1
  local mark = struct.pack('>I8', sequence)
  local full = redis.pcall('SETRANGE', fence, 16, mark)
  full = type(full) == 'table'
  for n = 1, #packed, 4 do
    if full then break end
    local ok = redis.pcall('SETRANGE', fence, 64 + 8 * struct.unpack('>I4', packed, n), mark)
    full = type(ok) == 'table'
  end
  if full then top = nil end
end
if not top then
  sequence = 1
  top = make(nonce) or string.rep('-', 16)
end
if #channel == 0 then return 0 end
return redis.call(publish, channel, struct.pack('>I8', sequence) .. string.sub(top, 1, 16) .. message)`,
})

/** Makes sure of the fence, and says through the channel how far it has come. @returns 1, or 0 when there is no room for a fence */
export const PULSE = script({
  keys: ['fence'],
  args: ['nonce', 'publish', 'channel', 'mark'],
  lua: `${FENCE}
local top = head()
if top then
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
  if string.sub(string.sub(top, 25, 64) .. string.rep(' ', 40), 1, 40) ~= string.sub(run .. string.rep(' ', 40), 1, 40) then top = nil end
end
top = top or make(nonce)
if not top then return 0 end
if #channel > 0 then redis.call(publish, channel, string.sub(top, 17, 24) .. string.sub(top, 1, 16) .. mark) end
return 1`,
})

/** Makes the fence anew: nothing that was stored is found again. */
export const FORGET = script({
  keys: ['fence'],
  args: ['nonce'],
  lua: `${FENCE}
make(nonce)
return 1`,
})
