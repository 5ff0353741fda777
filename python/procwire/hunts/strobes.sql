-- Strobes: processes that constantly connect to one place
--
-- By default once a second for an entire day: too often to be scored as a beacon, and unusual for a legitimate program.
-- For a shorter recording use 3600 connections in 1 hour.
--
-- Parameters:
--   connections    integer = 86400  Shows pairs with at least this many connections in one window
--   hours          number = 24      Length of a window
--
-- Columns:
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   dst_ip         text     Address that it connects to
--   dst_port       integer  Destination port
--   dst_host_name  text     Its host name, if one was logged
--   connections    integer  Number of connections in the worst window
--   per_second     number   Their rate, from the first to the last of them
--   windows        integer  Number of windows with enough connections
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
-- A pair without enough connections in total has not enough in any window. Collisions of hashes only let a few more
-- through.
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
