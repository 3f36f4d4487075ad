"""The broker's Lua scripts: each is one atomic step inside Redis, and each takes many attempts in one round trip.

A script reads Redis' run id itself (`INFO` inside a script costs about 1 µs): an id that the caller had read before would be
compared after a restart with the equally old one in a rolled-back `owner:` key, and found right.

Values (`mark` names an attempt: `transaction:run:attempt:number:node`):

| key | value |
|---|---|
| `owner:<transaction>` | `epoch run-id` |
| `permit:<node>` | `mark epoch run-id` |
| `claim:<transaction>` | hash of mark → token |
| `lease:<mark>` | 1, expiring |
| `stop:<transaction>` | 1 |
| `outcomes:<transaction>` | stream of (node, sealed report) |
| `woken:<transaction>` | 1, from the first report after a drain until the next drain |

So a permit is good exactly if it reads `mark`, a blank and what `owner:` reads now, and that ends with the present run id: a takeover,
a restart and a rollback each void every permit given before.
"""

from __future__ import annotations

_RUN_ID = """
local function run_id() return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
"""

VOUCH = (
    _RUN_ID
    + """
local epoch, held = tonumber(ARGV[1]), redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) > epoch then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. run_id())
redis.call('PERSIST', KEYS[2])
return 1
"""
)
"""KEYS owner, outcomes; ARGV epoch."""

VOUCHED = (
    _RUN_ID
    + """
local held = redis.call('GET', KEYS[1])
local epoch = held and (ARGV[1] == '' and string.match(held, '^%d+') or ARGV[1])
return held and held == epoch .. ' ' .. run_id() and 1 or 0
"""
)
"""KEYS owner; ARGV epoch, or empty for any."""

PERMIT = (
    _RUN_ID
    + """
local voucher, answers = ARGV[1] .. ' ' .. run_id(), {}
for i = 2, #ARGV do
  local k = (i - 2) * 3
  if redis.call('GET', KEYS[k + 1]) == voucher and redis.call('HEXISTS', KEYS[k + 2], ARGV[i]) == 0 then
    redis.call('SET', KEYS[k + 3], ARGV[i] .. ' ' .. voucher)
    answers[i - 1] = 1
  else
    answers[i - 1] = 0
  end
end
return answers
"""
)
"""KEYS (owner, claim, permit) of each; ARGV epoch, then each mark."""

RECALL = """
local answers = {}
for i = 1, #ARGV do
  local claim, permit = KEYS[i * 2 - 1], KEYS[i * 2]
  if redis.call('HEXISTS', claim, ARGV[i]) == 1 then
    answers[i] = 'claimed'
  else
    local held = redis.call('GET', permit)
    if held and string.sub(held, 1, #ARGV[i] + 1) == ARGV[i] .. ' ' then
      redis.call('DEL', permit)
      answers[i] = 'recalled'
    else
      answers[i] = 'neither'
    end
  end
end
return answers
"""
"""KEYS (claim, permit) of each; ARGV each mark."""

CLAIM = (
    _RUN_ID
    + """
local owner, claim, permit, stop, lease, outcomes = unpack(KEYS)
local mark, token, lease_ms, node, started = unpack(ARGV)
local now, held = redis.call('TIME'), redis.call('HGET', claim, mark)
if held == token then
  redis.call('SET', lease, 1, 'PX', lease_ms)
  return {1, now[1], now[2], ''}
end
local refusal = nil
local voucher, given = redis.call('GET', owner), redis.call('GET', permit)
if held then
  refusal = 'another agent has claimed it'
elseif not given or string.sub(given, 1, #mark + 1) ~= mark .. ' ' then
  refusal = 'it has no permit'
elseif not voucher or given ~= mark .. ' ' .. voucher or string.sub(voucher, -#run_id() - 1) ~= ' ' .. run_id() then
  refusal = 'no owner vouches for its permit'
elseif redis.call('EXISTS', stop) == 1 then
  refusal = 'its transaction is being stopped'
end
if refusal then return {0, now[1], now[2], refusal} end
redis.call('DEL', permit)
redis.call('HSET', claim, mark, token)
redis.call('SET', lease, 1, 'PX', lease_ms)
redis.call('XADD', outcomes, '*', 'node', node, 'body', started)
return {1, now[1], now[2], ''}
"""
)
"""KEYS owner, claim, permit, stop, lease, outcomes; ARGV mark, token, lease in ms, node, sealed report."""

RENEW = """
local function number(mark) return tonumber(string.match(mark, '^%d+:%d+:%d+:(%d+):')) end
local answers = {}
for i = 1, #ARGV / 2 do
  local held = redis.pcall('GET', KEYS[i * 2 - 1])
  local later = type(held) == 'string' and number(held) > number(ARGV[i * 2 - 1])
  if not later then redis.call('SET', KEYS[i * 2], 1, 'PX', ARGV[i * 2]) end
  answers[i] = later and 0 or 1
end
return answers
"""
"""KEYS (permit, lease) of each; ARGV (mark, lease in ms) of each. A permit that is no text allows nothing, and holds up no other lease."""

TELL = """
redis.call('XADD', KEYS[2], '*', 'node', ARGV[1], 'body', ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
"""
"""KEYS owner, outcomes; ARGV node, sealed report, seconds that reports nobody vouches for are kept."""

REPORT = """
local owner, outcomes, lease, woken = unpack(KEYS)
local now = redis.call('TIME')
redis.call('XADD', outcomes, '*', 'node', ARGV[1], 'body', ARGV[2])
redis.call('DEL', lease)
if redis.call('EXISTS', owner) == 0 then redis.call('EXPIRE', outcomes, ARGV[3]) end
local first = redis.call('SET', woken, 1, 'NX', 'EX', ARGV[4])
return {now[1], now[2], first and 1 or 0}
"""
"""KEYS owner, outcomes, lease, woken; ARGV node, sealed report, seconds that reports nobody vouches for are kept, seconds of `woken`."""
