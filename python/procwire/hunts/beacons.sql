-- Beacons: programs that call the same place at regular intervals
--
-- Scores how regularly each process of each computer connects to one address and port. A computer's log is divided into
-- windows of about a day; each pair is scored in each window, and shown with its best one, or, from 8 windows on, with
-- the one that an eighth of them beat: the best of many is luck. Three scores, or four if closes report sizes, have
-- equal weight in beacon_score:
--   timing_score     how similar the intervals are: mean of 1 - |Bowley skewness| and (median - MAD) / median
--   histogram_score  how evenly the connections spread over the window's 24 bars, or over one or two levels of them
--   duration_score   how much of the window they fill: first to last, or the longest run of bars in a row
--   size_score       how similar the sent sizes are; computed like timing_score
-- score maps beacon_score 0.5, 0.7, 0.9, 1 to 0.2, 0.4, 0.6, 0.8 and adds points for the destination: +0.15 if at most
-- 2% of the computers talk to it, -0.15 if half do; +0.15 if it was first seen in the last 7 days, -0.15 if 30 or more
-- days ago; +0.10 if it has no host name. Only connections of this program, by its file's name, count for subtraction:
-- an attacker gains nothing from an address that browsers also use. Each point is added or subtracted only if the data
-- suffice (10 computers, a log that reaches back further, any host names). Without sizes, scores are not comparable
-- with RITA's.
-- A timer has timing_score 1; with 20%, 50%, 90% jitter 0.97, 0.9, 0.8; connections at random times have 0.5.
--
-- Parameters:
--   since            time = null       Scores only connections since then; earlier ones show what is new
--   min_score        number = 0.5      Shows pairs with at least this beacon_score
--   min_connections  integer = 4       Omits pairs with fewer connections in a window
--   max_connections  integer = 86400   Omits pairs with as many or more: see the hunt strobes
--   min_bars         integer = 6       Omits pairs in fewer of the 24 bars, which cannot reach 0.5
--   window_hours     number = 24       Length of a window; longer ones find slower beacons
--   min_computers    integer = 10      Least number of computers for which prevalence counts
--
-- Columns:
--   score            number    0..1, how much it looks like a beacon that matters
--   computer_name    text      Computer on which the process runs
--   process_name     text      Path of its executable
--   dst_ip           text      Address that it connects to
--   dst_port         integer   Destination port
--   dst_host_name    text      Host name of dst_ip, if one was logged
--   period_s         number    Median of the intervals, in seconds
--   jitter           number    Median deviation from period_s, as a share of it: 0 is a clock, 0.7 is chance
--   connections      integer   Number of connections in the window
--   beacon_score     number    Mean of the scores that follow
--   timing_score     number    0..1
--   histogram_score  number    0..1
--   duration_score   number    0..1
--   size_score       number    0..1; null without closes
--   windows          integer   Number of windows in which the pair reached min_score
--   first_time       time      First connection in the window
--   last_time        time      Last connection in the window
--   why              text      The reasons for the score in words

-- Not materialized, although it is read twice: reading it again is cheaper than holding every event.
WITH events AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_ip, dst_port, dst_host_name, sent_bytes, event_creation_time,
        network_connection_initiated AS outbound,
        coalesce(record_kind, 'connection') AS kind,
        epoch_us(event_creation_time) AS at_us,
        $since IS NULL OR event_creation_time >= CAST($since AS TIMESTAMPTZ) AS wanted
    FROM connections
),
logs AS (
    SELECT
        computer_name,
        min(event_creation_time) AS first_at,
        max(event_creation_time) AS last_at,
        min(at_us) FILTER (WHERE wanted) AS start_us,
        max(at_us) FILTER (WHERE wanted) - min(at_us) FILTER (WHERE wanted) + 1 AS span_us,
        count(dst_host_name) FILTER (WHERE wanted) > 0 AS names_hosts
    FROM events
    GROUP BY computer_name
),
history AS (
    SELECT min(first_at) AS start_at, max(last_at) AS end_at, count(computer_name) AS computers
    FROM logs
),
-- Windows of equal length that fill the log: a part of a day at its end would look too full. They go through a list
-- because DuckDB expects few rows from one: in the join it then holds the windows in memory, not the events.
spans AS (
    SELECT span.computer_name, span.log_id, span.names_hosts, span.start_us, span.window_us
    FROM (
        SELECT unnest(list(struct_pack(
            computer_name := computer_name,
            log_id := log_id,
            names_hosts := names_hosts,
            start_us := start_us,
            window_us := span_us
                / greatest(1, round(span_us / greatest(CAST($window_hours AS DOUBLE) * 3600e6, 60e6)))
        ))) AS span
        FROM (SELECT *, row_number() OVER (ORDER BY computer_name) AS log_id FROM logs WHERE start_us IS NOT NULL)
    )
),
calls AS NOT MATERIALIZED (
    SELECT
        log_id, process_name, dst_ip, dst_port, dst_host_name, sent_bytes, event_creation_time, at_us,
        kind IN ('connection', 'attempt') AS is_beat,
        kind = 'close' AND sent_bytes IS NOT NULL AS has_size,
        CAST(floor((at_us - start_us) / window_us) AS INTEGER) AS window_no,
        CAST(floor((at_us - start_us) * 24 / window_us) AS INTEGER) % 24 AS bar
    FROM events AS e JOIN spans AS l ON e.computer_name IS NOT DISTINCT FROM l.computer_name
    WHERE wanted AND outbound AND dst_ip IS NOT NULL AND dst_ip <> '::1' AND dst_ip NOT LIKE '127.%'
        AND kind IN ('connection', 'attempt', 'close')
),
hashed AS NOT MATERIALIZED (
    SELECT *, hash(log_id, process_name, dst_ip, dst_port, window_no) AS pair_hash
    FROM calls
),
-- Most pairs are no beacons. Counting by hash takes a fraction of the memory; collisions only let a few more through.
likely AS (
    SELECT pair_hash
    FROM hashed
    WHERE is_beat
    GROUP BY pair_hash
    HAVING count(*) >= $min_connections AND bit_count(bit_or(CAST(1 AS BIGINT) << bar)) >= $min_bars
),
-- From here on a row is a pair in a window, and its times are a list, within which they are evaluated.
pairs AS (
    SELECT
        log_id, process_name, dst_ip, dst_port, window_no,
        max(dst_host_name) AS dst_host_name,
        min(event_creation_time) FILTER (WHERE is_beat) AS first_time,
        max(event_creation_time) FILTER (WHERE is_beat) AS last_time,
        count(*) FILTER (WHERE is_beat) AS connections,
        list_sort(list(at_us) FILTER (WHERE is_beat)) AS times_us,
        list_sort(list(sent_bytes) FILTER (WHERE has_size)) AS sizes
    FROM hashed
    WHERE pair_hash IN (SELECT pair_hash FROM likely)
    GROUP BY log_id, process_name, dst_ip, dst_port, window_no
    HAVING
        count(*) FILTER (WHERE is_beat) >= $min_connections AND count(*) FILTER (WHERE is_beat) < $max_connections
        AND bit_count(bit_or(CAST(1 AS BIGINT) << bar) FILTER (WHERE is_beat)) >= $min_bars
),
intervals AS (
    SELECT
        p.*, window_us,
        list_transform(times_us, lambda t: CAST(floor((t - start_us) * 24 / window_us) AS INTEGER) % 24) AS bars,
        -- Connections within a second count as one beat.
        list_sort(list_filter(
            list_transform(
                generate_series(1, connections - 1),
                lambda i: (list_extract(times_us, i + 1) - list_extract(times_us, i)) / 1e6
            ),
            lambda gap_s: gap_s >= 1
        )) AS gaps_s
    FROM pairs AS p JOIN spans AS l ON p.log_id = l.log_id
),
quartiles AS (
    SELECT
        *,
        list_aggregate(gaps_s, 'quantile_cont', 0.25) AS q1,
        list_aggregate(gaps_s, 'quantile_cont', 0.5) AS q2,
        list_aggregate(gaps_s, 'quantile_cont', 0.75) AS q3,
        list_aggregate(sizes, 'quantile_cont', 0.25) AS size_q1,
        list_aggregate(sizes, 'quantile_cont', 0.5) AS size_q2,
        list_aggregate(sizes, 'quantile_cont', 0.75) AS size_q3,
        list_transform(
            generate_series(0, 23), lambda b: CAST(array_length(list_filter(bars, lambda x: x = b)) AS BIGINT)
        ) AS heights
    FROM intervals
    WHERE array_length(gaps_s) + 1 >= $min_connections
),
shapes AS (
    SELECT
        *,
        CASE WHEN q3 - q1 < 10 OR q2 = q1 OR q2 = q3 THEN 0 ELSE (q1 + q3 - 2 * q2) / (q3 - q1) END AS skewness,
        CASE
            WHEN size_q3 - size_q1 < 10 OR size_q2 = size_q1 OR size_q2 = size_q3 THEN 0
            ELSE (size_q1 + size_q3 - 2 * size_q2) / (size_q3 - size_q1)
        END AS size_skewness,
        list_aggregate(list_transform(gaps_s, lambda x: abs(x - q2)), 'quantile_cont', 0.5) AS deviation_s,
        list_aggregate(list_transform(sizes, lambda x: abs(x - size_q2)), 'quantile_cont', 0.5) AS size_deviation,
        list_filter(heights, lambda x: x > 0) AS filled,
        list_sum(list_transform(heights, lambda x: x * x)) AS square_sum,
        ceil(list_max(heights) * 0.05) AS level_height,
        -- Runs of bars continue from the last to the first: append the day again.
        list_max(list_transform(
            string_split(
                repeat(array_to_string(list_transform(heights, lambda x: CASE WHEN x > 0 THEN '1' ELSE '0' END), ''), 2),
                '0'
            ),
            lambda x: length(x)
        )) AS run
    FROM quartiles
),
levels AS (
    SELECT
        *,
        array_length(filled) AS bars_filled,
        CASE WHEN array_length(filled) >= 11 THEN list_reverse_sort(list_transform(
            -- The highest bar is at most twenty levels high.
            generate_series(0, 20),
            lambda n: array_length(list_filter(filled, lambda x: floor(x / level_height) = n))
        )) END AS at_level
    FROM shapes
),
sub_scores AS (
    SELECT
        log_id, process_name, dst_ip, dst_port, dst_host_name, connections, first_time, last_time,
        q2 AS period_s,
        deviation_s / q2 AS jitter,
        bars_filled AS bars,
        (1 - abs(skewness) + greatest(0, 1 - deviation_s / q2)) / 2 AS timing_score,
        greatest(
            0,
            1 - sqrt(greatest(0, square_sum / 24 - power(connections / 24, 2))) / (connections / 24),
            least(1, coalesce((list_extract(at_level, 1) + list_extract(at_level, 2)) / (bars_filled - 1), 0))
        ) AS histogram_score,
        CASE
            WHEN bars_filled >= 6
                THEN least(1, greatest(date_diff('microsecond', first_time, last_time) / window_us, run / 12e0))
            ELSE 0
        END AS duration_score,
        CASE WHEN array_length(sizes) >= $min_connections THEN (
            1 - abs(size_skewness)
            + CASE WHEN size_q2 < 1 THEN 1 ELSE greatest(0, 1 - size_deviation / size_q2) END
        ) / 2 END AS size_score
    FROM levels
),
scored AS (
    SELECT
        *,
        (timing_score + histogram_score + duration_score + coalesce(size_score, 0))
        / CASE WHEN size_score IS NULL THEN 3 ELSE 4 END AS beacon_score
    FROM sub_scores
),
placed AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY log_id, process_name, dst_ip, dst_port) AS windows,
        row_number() OVER (
            PARTITION BY log_id, process_name, dst_ip, dst_port ORDER BY beacon_score DESC, first_time DESC
        ) AS place
    FROM scored
    WHERE beacon_score >= $min_score
),
best AS (
    SELECT *, coalesce(lower(regexp_extract(process_name, '[^\\/]*$')), '') AS program
    FROM placed
    WHERE place = 1 + windows // 8
),
talkers AS (
    SELECT
        dst_ip, computer_name,
        coalesce(lower(regexp_extract(process_name, '[^\\/]*$')), '') AS program,
        min(event_creation_time) AS first_at
    FROM connections
    WHERE network_connection_initiated AND dst_ip IN (SELECT dst_ip FROM best)
    GROUP BY dst_ip, computer_name, process_name
),
destinations AS (
    SELECT dst_ip, min(first_at) AS first_at, count(DISTINCT computer_name) AS talkers
    FROM talkers
    GROUP BY dst_ip
),
alike AS (
    SELECT dst_ip, program, min(first_at) AS first_at, count(DISTINCT computer_name) AS talkers
    FROM talkers
    GROUP BY dst_ip, program
),
modified AS (
    SELECT
        b.*, l.computer_name, d.talkers, a.talkers AS alike, computers,
        date_diff('second', d.first_at, end_at) / 86400e0 AS age_days,
        CASE
            WHEN computers < $min_computers THEN 0
            WHEN d.talkers <= 0.02 * computers THEN 0.15
            WHEN a.talkers >= 0.5 * computers THEN -0.15
            ELSE 0
        END AS prevalence_modifier,
        CASE
            WHEN date_diff('second', a.first_at, end_at) >= 30 * 86400 THEN -0.15
            WHEN date_diff('second', d.first_at, end_at) <= 7 * 86400
                AND date_diff('second', h.start_at, end_at) > 7 * 86400 THEN 0.15
            ELSE 0
        END AS first_seen_modifier,
        CASE WHEN names_hosts AND dst_host_name IS NULL THEN 0.10 ELSE 0 END AS host_modifier,
        CASE
            WHEN beacon_score < 0.5 THEN beacon_score * 0.4
            WHEN beacon_score < 0.9 THEN 0.2 + (beacon_score - 0.5)
            ELSE 0.6 + (beacon_score - 0.9) * 2
        END AS base_score
    FROM best AS b
    JOIN spans AS l ON b.log_id = l.log_id
    JOIN destinations AS d ON b.dst_ip = d.dst_ip
    JOIN alike AS a ON b.dst_ip = a.dst_ip AND b.program = a.program
    CROSS JOIN history AS h
)
SELECT
    round(greatest(0, least(1, base_score + prevalence_modifier + first_seen_modifier + host_modifier)), 3) AS score,
    computer_name, process_name, dst_ip, dst_port, dst_host_name,
    round(period_s, 3) AS period_s,
    round(jitter, 3) AS jitter,
    connections,
    round(beacon_score, 3) AS beacon_score,
    round(timing_score, 3) AS timing_score,
    round(histogram_score, 3) AS histogram_score,
    round(duration_score, 3) AS duration_score,
    round(size_score, 3) AS size_score,
    windows,
    first_time, last_time,
    concat(
        'every ', CAST(round(period_s, 1) AS VARCHAR), ' s, give or take ',
        CAST(CAST(round(100 * jitter) AS BIGINT) AS VARCHAR), '% (timing ', CAST(round(timing_score, 2) AS VARCHAR),
        '); in ', CAST(bars AS VARCHAR), ' of 24 bars (histogram ', CAST(round(histogram_score, 2) AS VARCHAR),
        ', duration ', CAST(round(duration_score, 2) AS VARCHAR), ')',
        CASE WHEN size_score IS NULL THEN '; sizes unknown: not comparable with RITA'
            ELSE concat('; sizes alike (', CAST(round(size_score, 2) AS VARCHAR), ')') END,
        '; ', CAST(talkers AS VARCHAR), ' of ', CAST(computers AS VARCHAR), ' computers talk to it',
        CASE WHEN alike < talkers THEN concat(', ', CAST(alike AS VARCHAR), ' by this program') ELSE '' END,
        CASE WHEN prevalence_modifier > 0 THEN ' (+0.15)' WHEN prevalence_modifier < 0 THEN ' (-0.15)' ELSE '' END,
        '; first seen ', CAST(CAST(floor(age_days) AS BIGINT) AS VARCHAR), ' days before the end',
        CASE WHEN first_seen_modifier > 0 THEN ' (+0.15)' WHEN first_seen_modifier < 0 THEN ' (-0.15)' ELSE '' END,
        CASE WHEN host_modifier > 0 THEN '; no host name (+0.10)' ELSE '' END
    ) AS why
FROM modified
ORDER BY score DESC, beacon_score DESC, computer_name, process_name, dst_ip, dst_port
