-- Strobes: processes that connect to one place all the time
--
-- Once a second for a whole day by default: too often to be scored as a beacon, and seldom what a program should do.
-- For a shorter recording ask for 3600 connections in 1 hour.
--
-- Parameters:
--   connections    integer = 86400  Shows pairs with so many in one window
--   hours          number = 24      Length of a window
--
-- Columns:
--   computer_name  text     Where the process runs
--   process_name   text     Its executable
--   dst_ip         text     Whom it connects to
--   dst_port       integer  On which port
--   dst_host_name  text     Its name, where one was logged
--   connections    integer  In the worst window
--   per_second     number   The same as a rate, from the first to the last of them
--   windows        integer  In how many windows there were enough
--   first_time     time     First connection in the worst window
--   last_time      time     Last connection in the worst window
WITH bounds AS (SELECT min(event_creation_time) AS start_at FROM connections),
calls AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_ip, dst_port, dst_host_name, event_creation_time,
        hash(computer_name, process_name, dst_ip, dst_port) AS pair_hash
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
-- Who has not enough in all has not in a window. That some share a hash only lets a few more through.
likely AS (SELECT pair_hash FROM calls GROUP BY pair_hash HAVING count(*) >= $connections),
windows AS (
    SELECT
        computer_name, process_name, dst_ip, dst_port,
        CAST(floor(date_diff('second', start_at, event_creation_time) / ($hours * 3600e0)) AS BIGINT) AS window_no,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls CROSS JOIN bounds
    WHERE pair_hash IN (SELECT pair_hash FROM likely)
    GROUP BY
        computer_name, process_name, dst_ip, dst_port,
        CAST(floor(date_diff('second', start_at, event_creation_time) / ($hours * 3600e0)) AS BIGINT)
    HAVING count(*) >= $connections
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY computer_name, process_name, dst_ip, dst_port) AS all_windows,
        row_number() OVER (
            PARTITION BY computer_name, process_name, dst_ip, dst_port ORDER BY connections DESC, window_no
        ) AS place
    FROM windows
)
SELECT
    computer_name, process_name, dst_ip, dst_port, dst_host_name, connections,
    round(connections * 1e0 / greatest(1, date_diff('second', first_time, last_time)), 2) AS per_second,
    all_windows AS windows, first_time, last_time
FROM ranked
WHERE place = 1
ORDER BY connections DESC, computer_name, process_name, dst_ip, dst_port
