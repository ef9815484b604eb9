/**
 * The only write. Checks that the ledger and every touched value are as they were read, then keeps what it replaces and writes, all or nothing.
 *
 * KEYS: ledger, undo record, then the hash (`hash`) or one key for each change (`string`), then the guard, which is never there.
 * ARGV: mode, SHA-1 of the ledger's text or `-` for none, new ledger text (`` removes the ledger), generation to keep an undo record for or `-`; then five for each change:
 * field, expected (`-` absent, `?` there, `*` anything, else the SHA-1 of the text), what to do (`check`, `put`, `delete`), text, expiry or ``.
 * Answers `{'done'}`, `{'moved', ledger}`, or `{'conflict', number of values that moved, position of the first}`.
 *
 * The undo record is a hash: `generation`, `ledger` if there was one, and for each change its field behind `+` (replaced), `x` (deleted) or `-`
 * (was absent), with the value; behind `t` the expiry, as Unix time in ms, of a key (`string`) or of the whole place (`hash`).
 */
export const commitScript = `
local is_hash = ARGV[1] == 'hash'
local ledger = redis.call('GET', KEYS[1])
if (ledger and redis.sha1hex(ledger) or '-') ~= ARGV[2] then return { 'moved', ledger } end

local changes = (#ARGV - 4) / 5
local found = {}
local conflicts, first = 0, 0
for i = 1, changes do
  local at = 5 * i
  local value
  if is_hash then value = redis.call('HGET', KEYS[3], ARGV[at]) else value = redis.call('GET', KEYS[2 + i]) end
  found[i] = value
  local expected = ARGV[at + 1]
  local holds = expected == '*'
  if expected == '-' then holds = not value
  elseif expected == '?' then holds = value ~= false
  elseif value and not holds then holds = redis.sha1hex(value) == expected end
  if not holds then
    conflicts = conflicts + 1
    if first == 0 then first = i end
  end
end
if conflicts > 0 then return { 'conflict', conflicts, first } end

-- A command that the user may not run would stop the script half-way, and Redis does not roll back.
if redis.acl_check_cmd then
  local needed = { { 'SET', KEYS[1], '' }, { 'DEL', KEYS[2] }, { 'HSET', KEYS[2], 'f', '' }, { 'TIME' } }
  if KEYS[4] then
    local entry = KEYS[3]
    needed[#needed + 1] = { 'PTTL', entry }
    needed[#needed + 1] = { 'PEXPIREAT', entry, '1' }
    needed[#needed + 1] = is_hash and { 'HSET', entry, 'f', '' } or { 'SET', entry, '' }
    needed[#needed + 1] = is_hash and { 'HDEL', entry, 'f' } or { 'DEL', entry }
  end
  for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then
      return redis.error_reply("NOPERM this user has no permissions to run the '" .. string.lower(command[1]) .. "' command")
    end
  end
end

-- First of all writes: of a script that has written nothing yet, Redis still refuses one for want of memory, of replicas or of a disk.
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end

redis.call('DEL', KEYS[2])
if ARGV[4] ~= '-' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function keep_expiry(key, field)
    local left = redis.call('PTTL', key)
    if left >= 0 then redis.call('HSET', KEYS[2], 't' .. field, string.format('%.0f', now + left)) end
  end
  redis.call('HSET', KEYS[2], 'generation', ARGV[4])
  if ledger then redis.call('HSET', KEYS[2], 'ledger', ledger) end
  if is_hash then keep_expiry(KEYS[3], '') end
  for i = 1, changes do
    local at = 5 * i
    if ARGV[at + 2] ~= 'check' then
      local mark = (not found[i] and '-') or (ARGV[at + 2] == 'delete' and 'x') or '+'
      redis.call('HSET', KEYS[2], mark .. ARGV[at], found[i] or '')
      if not is_hash and found[i] then keep_expiry(KEYS[2 + i], ARGV[at]) end
    end
  end
end

for i = 1, changes do
  local at = 5 * i
  local key = is_hash and KEYS[3] or KEYS[2 + i]
  if ARGV[at + 2] == 'put' then
    if is_hash then redis.call('HSET', key, ARGV[at], ARGV[at + 3]) else redis.call('SET', key, ARGV[at + 3]) end
    if ARGV[at + 4] ~= '' then redis.call('PEXPIREAT', key, ARGV[at + 4]) end
  elseif ARGV[at + 2] == 'delete' then
    if is_hash then redis.call('HDEL', key, ARGV[at]) else redis.call('DEL', key) end
  end
end
return { 'done' }
`;
