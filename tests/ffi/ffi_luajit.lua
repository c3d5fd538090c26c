-- ffi_luajit.lua - the generated LuaJIT binding: golden.py's queries, vectors by a Lua callback
-- SPDX-License-Identifier: MIT OR Apache-2.0
-- usage: luajit ffi_luajit.lua NIGH.LUA LIBNIGH.SO GOLDEN_FOLDER
local ffi = require('ffi')
local binding, path, folder = arg[1], arg[2], arg[3]
local nigh, c = dofile(binding)(path)
local DIM, K = 24, 10
jit.off() -- what nigh calls back must not run compiled

local function check(status)
  if status ~= c.NIGH_OK then
    error(ffi.string(nigh.nigh_status_text(status)), 2)
  end
end

local kept = {}
local function memory(bytes)
  local made = ffi.new('uint8_t[?]', tonumber(bytes) + 64)
  kept[#kept + 1] = made
  local address = tonumber(ffi.cast('uintptr_t', made))
  return made + (64 - address % 64) % 64
end

local function read(name)
  local file = assert(io.open(folder .. '/' .. name, 'rb'))
  local data = file:read('*a')
  file:close()
  local made = memory(#data)
  ffi.copy(made, data, #data)
  return made, #data, data
end

local function new(name, fields)
  local made = ffi.new(name, fields or {})
  made.struct_size = ffi.sizeof(name)
  return made
end

-- Answers of each case, ef and query as lines of golden.tsv without their first three fields.
local want, cases = {}, {}
local _, _, tsv = read('golden.tsv')
for name, ef, query, rest in tsv:gmatch('(%w+)\t(%d+)\t(%d+)\t([^\n]*)') do
  local at = name .. ' ' .. ef .. ' ' .. query
  if not want[at] then
    want[at] = {}
    cases[#cases + 1] = {at = at, name = name, ef = tonumber(ef), query = tonumber(query)}
  end
  table.insert(want[at], rest)
end

local rows = ffi.cast('float *', (read('rows.f32')))
local queries = ffi.cast('float *', (read('queries.f32')))
local fetched = 0
local fetch = ffi.cast('nigh_fetch_fn', function(_, slots, _, count, _, vectors)
  for i = 0, count - 1 do
    vectors[i] = rows + slots[i] * DIM
  end
  fetched = fetched + count
  return c.NIGH_OK
end)

local function open(name)
  local image, bytes = read(name .. '.nigh')
  local need, index, session = ffi.new('uint64_t[1]'), ffi.new('nigh_index *[1]'),
    ffi.new('nigh_session *[1]')
  check(nigh.nigh_attach_bytes(image, bytes, nil, need))
  check(nigh.nigh_attach(image, bytes, nil, memory(need[0]), need[0], index))
  if name == 'external' then
    check(nigh.nigh_index_fetch(index[0], fetch, nil, nil))
  end
  local options = new('nigh_session_options', {flags = c.NIGH_SESSION_READ})
  check(nigh.nigh_session_bytes(index[0], options, need))
  check(nigh.nigh_session_init(index[0], options, memory(need[0]), need[0], session))
  local config = new('nigh_config')
  check(nigh.nigh_config_get(index[0], config))
  return index[0], session[0], config.keys == c.NIGH_KEYS_BYTES
end

local opened = {}
local keys, lengths = ffi.new('uint64_t[?]', K * 64), ffi.new('uint32_t[?]', K)
local distances, slots, found = ffi.new('float[?]', K), ffi.new('uint32_t[?]', K),
  ffi.new('uint32_t[1]')

local function answer(case)
  opened[case.name] = opened[case.name] or {open(case.name)}
  local index, session, strings = unpack(opened[case.name])
  local how = new('nigh_search_options', {ef = case.ef})
  check(nigh.nigh_search(index, session, queries + case.query * DIM, how, K, keys, lengths,
    distances, slots, found))
  local bits, text, got = ffi.cast('uint32_t *', distances), ffi.cast('char *', keys), {}
  for i = 0, found[0] - 1 do
    local key = strings and ffi.string(text, lengths[i]) or
      tostring(keys[i]):gsub('ULL$', '')
    text = text + lengths[i]
    got[i + 1] = string.format('%d\t%s\t%08x\t%d', i, key, bits[i], slots[i])
  end
  return got
end

local passed = 0
for _, case in ipairs(cases) do
  local got = answer(case)
  assert(table.concat(got, '\n') == table.concat(want[case.at], '\n'), case.at)
  passed = passed + 1
end
assert(passed == 400, 'cases are missing')
assert(fetched > 1000, 'the callback was not used')
-- a broken call is a status, not a crash
assert(nigh.nigh_search(nil, nil, nil, nil, 0, nil, nil, nil, nil, found) == c.NIGH_E_INVALID)
fetch:free()
print(string.format('%d passed, 0 failed', passed + 1))
