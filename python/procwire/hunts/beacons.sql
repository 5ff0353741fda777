-- Beacons: programs that call the same place at regular intervals
--
-- Scores how regular the connections are of each process of each computer to one address and port. A computer's log is
-- cut into windows of about a day; each pair is scored in each window, and shown with its best one. Three scores, four
-- where closes tell sizes, have equal weight in beacon_score:
--   timing_score     how alike the intervals are: mean of 1 - |Bowley skewness| and (median - MAD) / median
--   histogram_score  how evenly the connections spread over the window's 24 bars, or over one or two levels of them
--   duration_score   how much of the window they fill: first to last, or the longest run of bars in a row
--   size_score       how alike the sent sizes are; like timing_score
-- score puts beacon_score 0.5, 0.7, 0.9, 1 at 0.2, 0.4, 0.6, 0.8 and adds what is known of the destination: +0.15 where
-- at most 2% of the computers talk to it, -0.15 where half do; +0.15 where it was first seen in the last 7 days, -0.15
-- 30 days ago or before; +0.10 where it has no host name. Each counts only where the data can tell (10 computers, a
-- log that reaches back further, hosts that are named at all). Without sizes, scores do not compare with RITA's.
-- A timer gives timing_score 1, with 20%, 50%, 90% jitter 0.97, 0.9, 0.8; connections at random times give 0.5.
--
-- Parameters:
--   since            time = null       Scores what is since then; the past tells what is new
--   min_score        number = 0.5      Shows pairs with at least this beacon_score
--   min_connections  integer = 4       Pairs with fewer connections in a window are left out
--   max_connections  integer = 86400   So are those with as many or more: see the hunt strobes
--   min_bars         integer = 6       So are those in fewer of the 24 bars, which cannot reach 0.5
--   window_hours     number = 24       Length of a window; longer ones find slower beacons
--   min_computers    integer = 10      Prevalence counts from so many computers on
--
-- Columns:
--   score            number    0..1, how much it looks like a beacon that matters
--   computer_name    text      Where the process runs
--   process_name     text      Its executable
--   dst_ip           text      Whom it calls
--   dst_port         integer   On which port
--   dst_host_name    text      The name of dst_ip, where one was logged
--   period_s         number    Median of the intervals, in seconds
--   jitter           number    Median deviation from period_s, as a share of it: 0 is a clock, 0.7 is chance
--   connections      integer   In the window
--   beacon_score     number    Mean of the scores that follow
--   timing_score     number    0..1
--   histogram_score  number    0..1
--   duration_score   number    0..1
--   size_score       number    0..1; null without closes
--   windows          integer   In how many windows the pair reached min_score
--   first_time       time      First connection in the window
--   last_time        time      Last connection in the window
--   why              text      The same in words

-- What is read twice is not kept in between: to read it again is cheaper than to hold every event.
WITH events AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_ip, dst_port, dst_host_name, sent_bytes, event_creation_time,
        network_connection_initiated AS outbound,
        coalesce(record_kind, 'connection') AS kind,
        epoch_us(event_creation_time) AS at_us
    FROM connections
    WHERE $since IS NULL OR event_creation_time >= CAST($since AS TIMESTAMPTZ)
),
logs AS (
    SELECT
        computer_name,
        min(at_us) AS start_us,
        max(at_us) - min(at_us) + 1 AS span_us,
        count(dst_host_name) > 0 AS names_hosts
    FROM events
    GROUP BY computer_name
),
-- Windows of one length that fill the log: a part of a day at its end would look too full.
spans AS (
    SELECT
        *,
        row_number() OVER (ORDER BY computer_name) AS log_id,
        span_us / greatest(1, round(span_us / greatest(CAST($window_hours AS DOUBLE) * 3600e6, 60e6))) AS window_us
    FROM logs
),
calls AS NOT MATERIALIZED (
    SELECT
        log_id, process_name, dst_ip, dst_port, dst_host_name, kind, sent_bytes, event_creation_time, at_us,
        CAST(floor((at_us - start_us) / window_us) AS INTEGER) AS window_no,
        CAST(floor((at_us - start_us) * 24 / window_us) AS INTEGER) % 24 AS bar
    FROM events AS e JOIN spans AS l ON e.computer_name IS NOT DISTINCT FROM l.computer_name
    WHERE outbound AND dst_ip IS NOT NULL AND dst_ip <> '::1' AND dst_ip NOT LIKE '127.%'
),
beats AS NOT MATERIALIZED (
    SELECT *, hash(log_id, process_name, dst_ip, dst_port, window_no) AS pair_hash
    FROM calls
    WHERE kind IN ('connection', 'attempt')
),
-- Most pairs are no beacon. Counting them under their hash takes a fraction of the memory; that some share a hash only
-- lets a few more through.
likely AS (
    SELECT pair_hash
    FROM beats
    GROUP BY pair_hash
    HAVING count(*) >= $min_connections AND bit_count(bit_or(CAST(1 AS BIGINT) << bar)) >= $min_bars
),
pairs AS (
    SELECT
        log_id, process_name, dst_ip, dst_port, window_no,
        row_number() OVER (ORDER BY log_id, process_name, dst_ip, dst_port, window_no) AS pair_id,
        count(*) AS connections,
        max(dst_host_name) AS dst_host_name,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time,
        list(at_us) AS times_us,
        list(bar) AS all_bars
    FROM beats
    WHERE pair_hash IN (SELECT pair_hash FROM likely)
    GROUP BY log_id, process_name, dst_ip, dst_port, window_no
    HAVING
        count(*) >= $min_connections AND count(*) < $max_connections
        AND bit_count(bit_or(CAST(1 AS BIGINT) << bar)) >= $min_bars
),
times AS (SELECT pair_id, unnest(times_us) AS at_us FROM pairs),
gaps AS (
    SELECT pair_id, (at_us - lag(at_us) OVER (PARTITION BY pair_id ORDER BY at_us)) / 1e6 AS gap_s
    FROM times
),
-- Connections within a second are one beat.
intervals AS (SELECT pair_id, gap_s FROM gaps WHERE gap_s >= 1),
quartiles AS (
    SELECT
        pair_id,
        quantile_cont(gap_s, 0.25) AS q1,
        quantile_cont(gap_s, 0.5) AS q2,
        quantile_cont(gap_s, 0.75) AS q3
    FROM intervals
    GROUP BY pair_id
    HAVING count(*) + 1 >= $min_connections
),
timing AS (
    SELECT
        pair_id, q2 AS period_s, quantile_cont(abs(gap_s - q2), 0.5) / q2 AS jitter,
        CASE WHEN q3 - q1 < 10 OR q2 = q1 OR q2 = q3 THEN 0 ELSE (q1 + q3 - 2 * q2) / (q3 - q1) END AS skewness
    FROM intervals JOIN quartiles USING (pair_id)
    GROUP BY pair_id, q1, q2, q3
),
bar_rows AS (SELECT pair_id, unnest(all_bars) AS bar FROM pairs),
heights AS (SELECT pair_id, bar, count(*) AS height FROM bar_rows GROUP BY pair_id, bar),
shapes AS (
    SELECT
        pair_id,
        count(*) AS bars,
        greatest(0, 1 - sqrt(greatest(0, sum(height * height) / 24 - power(sum(height) / 24, 2))) / (sum(height) / 24))
            AS evenness,
        ceil(max(height) * 0.05) AS level_height
    FROM heights
    GROUP BY pair_id
),
levels AS (
    SELECT pair_id, bars, floor(height / level_height) AS level, count(*) AS at_level
    FROM heights JOIN shapes USING (pair_id)
    WHERE bars >= 11
    GROUP BY pair_id, bars, floor(height / level_height)
),
ranked_levels AS (
    SELECT *, row_number() OVER (PARTITION BY pair_id ORDER BY at_level DESC) AS place
    FROM levels
),
bimodal AS (
    SELECT pair_id, least(1, sum(at_level) / max(bars - 1)) AS fit
    FROM ranked_levels
    WHERE place <= 2
    GROUP BY pair_id
),
-- Runs of bars go on from the last to the first: the day twice, and no run longer than it.
two_days AS (
    SELECT pair_id, bar FROM heights
    UNION ALL
    SELECT pair_id, bar + 24 FROM heights
),
islands AS (
    SELECT pair_id, bar - row_number() OVER (PARTITION BY pair_id ORDER BY bar) AS island
    FROM two_days
),
runs AS (SELECT pair_id, island, count(*) AS run FROM islands GROUP BY pair_id, island),
longest AS (SELECT pair_id, max(run) AS run FROM runs GROUP BY pair_id),
sizes AS (
    SELECT pair_id, sent_bytes
    FROM calls AS c JOIN pairs AS p
        ON c.log_id = p.log_id AND c.process_name IS NOT DISTINCT FROM p.process_name AND c.dst_ip = p.dst_ip
        AND c.dst_port IS NOT DISTINCT FROM p.dst_port AND c.window_no = p.window_no
    WHERE kind = 'close' AND sent_bytes IS NOT NULL
),
size_quartiles AS (
    SELECT
        pair_id,
        quantile_cont(sent_bytes, 0.25) AS q1,
        quantile_cont(sent_bytes, 0.5) AS q2,
        quantile_cont(sent_bytes, 0.75) AS q3
    FROM sizes
    GROUP BY pair_id
    HAVING count(*) >= $min_connections
),
sizing AS (
    SELECT
        pair_id,
        (
            1 - abs(CASE WHEN q3 - q1 < 10 OR q2 = q1 OR q2 = q3 THEN 0 ELSE (q1 + q3 - 2 * q2) / (q3 - q1) END)
            + CASE WHEN q2 < 1 THEN 1 ELSE greatest(0, 1 - quantile_cont(abs(sent_bytes - q2), 0.5) / q2) END
        ) / 2 AS size_score
    FROM sizes JOIN size_quartiles USING (pair_id)
    GROUP BY pair_id, q1, q2, q3
),
sub_scores AS (
    SELECT
        p.log_id, process_name, dst_ip, dst_port, dst_host_name, connections, first_time, last_time,
        period_s, jitter, bars, size_score,
        (1 - abs(skewness) + greatest(0, 1 - jitter)) / 2 AS timing_score,
        greatest(evenness, coalesce(fit, 0)) AS histogram_score,
        CASE WHEN bars >= 6 THEN least(1, greatest(date_diff('microsecond', first_time, last_time) / window_us, run / 12e0)) ELSE 0 END
            AS duration_score
    FROM pairs AS p
    JOIN spans AS l ON p.log_id = l.log_id
    JOIN timing AS t ON p.pair_id = t.pair_id
    JOIN shapes AS s ON p.pair_id = s.pair_id
    JOIN longest AS r ON p.pair_id = r.pair_id
    LEFT JOIN bimodal AS b ON p.pair_id = b.pair_id
    LEFT JOIN sizing AS z ON p.pair_id = z.pair_id
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
best AS (SELECT * FROM placed WHERE place = 1),
history AS (
    SELECT min(event_creation_time) AS start_at, max(event_creation_time) AS end_at,
        count(DISTINCT computer_name) AS computers
    FROM connections
),
destinations AS (
    SELECT dst_ip, min(event_creation_time) AS first_at, count(DISTINCT computer_name) AS talkers
    FROM connections
    WHERE network_connection_initiated AND dst_ip IN (SELECT dst_ip FROM best)
    GROUP BY dst_ip
),
modified AS (
    SELECT
        b.*, l.computer_name, talkers, computers,
        date_diff('second', first_at, end_at) / 86400e0 AS age_days,
        CASE
            WHEN computers < $min_computers THEN 0
            WHEN talkers <= 0.02 * computers THEN 0.15
            WHEN talkers >= 0.5 * computers THEN -0.15
            ELSE 0
        END AS prevalence_modifier,
        CASE
            WHEN date_diff('second', first_at, end_at) >= 30 * 86400 THEN -0.15
            WHEN date_diff('second', first_at, end_at) <= 7 * 86400
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
        CASE WHEN prevalence_modifier > 0 THEN ' (+0.15)' WHEN prevalence_modifier < 0 THEN ' (-0.15)' ELSE '' END,
        '; first seen ', CAST(CAST(floor(age_days) AS BIGINT) AS VARCHAR), ' days before the end',
        CASE WHEN first_seen_modifier > 0 THEN ' (+0.15)' WHEN first_seen_modifier < 0 THEN ' (-0.15)' ELSE '' END,
        CASE WHEN host_modifier > 0 THEN '; no host name (+0.10)' ELSE '' END
    ) AS why
FROM modified
ORDER BY score DESC, beacon_score DESC, computer_name, process_name, dst_ip, dst_port
