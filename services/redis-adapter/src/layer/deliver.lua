-- Puts messages where Django's processes find them, and moves on in the log, in one step.
--
-- KEYS[1]   hash: `position`, up to where the log is written; `score`, that of the last message
-- KEYS[2..] queues of processes, or with pub/sub channels
-- ARGV      'queue' or 'channel', now, expiry, capacity; then for each message its position ('' if it is not in the
--           log), the number of its copies, and for each copy the number of its key and the payload
-- Returns   the position before ('' if unknown), the number of copies that found their queue full, and the keys that
--           hold something else
local is_queue = ARGV[1] == 'queue'
local now, expiry, capacity = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('HGET', KEYS[1], 'position') or ''
local score = tonumber(redis.call('HGET', KEYS[1], 'score') or 0)

-- Positions are too large for Lua's numbers.
local function is_behind(a, b)
    return #a > #b or (#a == #b and a > b)
end

-- Readers take the lowest score first. The clocks of two adapters differ, so each message gets a higher one than the
-- last; unless a clock was so wrong that everything would be late for good.
local function next_score()
    if score >= now and score < now + expiry then
        score = score + 0.000001
    else
        score = now
    end
    return string.format('%.17g', score)
end

-- The only step that can fail comes first: then nothing has been written.
local last = ''
local i = 5
while i <= #ARGV do
    if is_behind(ARGV[i], last) then
        last = ARGV[i]
    end
    i = i + 2 + 2 * ARGV[i + 1]
end
if is_behind(last, known) then
    redis.call('HSET', KEYS[1], 'position', last)
end

local full, is_foreign = 0, {}
if is_queue then
    for k = 2, #KEYS do
        local trimmed = redis.pcall('ZREMRANGEBYSCORE', KEYS[k], 0, math.floor(now) - expiry)
        is_foreign[k] = type(trimmed) == 'table' and trimmed.err ~= nil
    end
end

local function put(key, payload, at)
    if not is_queue then
        redis.call('PUBLISH', key, payload)
    elseif redis.call('ZCOUNT', key, '-inf', '+inf') < capacity then
        redis.call('ZADD', key, at, payload)
        redis.call('EXPIRE', key, expiry)
    else
        full = full + 1
    end
end

i = 5
while i <= #ARGV do
    local n_copies = tonumber(ARGV[i + 1])
    if n_copies > 0 and (ARGV[i] == '' or is_behind(ARGV[i], known)) then
        local at = next_score()
        for copy = i + 2, i + 2 * n_copies, 2 do
            local k = tonumber(ARGV[copy])
            if not is_foreign[k] then
                put(KEYS[k], ARGV[copy + 1], at)
            end
        end
    end
    i = i + 2 + 2 * n_copies
end
if is_queue and score > 0 then
    redis.call('HSET', KEYS[1], 'score', string.format('%.17g', score))
end

local answer = {known, full}
for k = 2, #KEYS do
    if is_foreign[k] then
        answer[#answer + 1] = KEYS[k]
    end
end
return answer
