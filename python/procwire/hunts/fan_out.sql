-- Fan-out: one process connects to many hosts on one port
--
-- A sweep looks for hosts that answer; worms, scanners and tools for lateral movement do so. Counted per clock hour;
-- the hour with the most hosts is shown. Web ports of the internet are omitted: otherwise browsers would dominate.
--
-- Parameters:
--   min_hosts      integer = 20     Shows processes that reach at least this many hosts within an hour
--   web            boolean = false  Includes ports 80 and 443 of the internet
--
-- Columns:
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   dst_port       integer  Destination port
--   hosts          integer  Number of addresses it connected to in the worst hour
--   internal_hosts integer  Number of these in private networks
--   connections    integer  Connections in that hour
--   refused        integer  Number of these that failed; null if unknown
--   hours          integer  Number of hours in which it reached min_hosts
--   first_time     time     First connection in the worst hour
--   last_time      time     Last connection in the worst hour
WITH hosts AS (
    SELECT dst_ip, is_private(dst_ip) AS internal
    -- Classify each address once: DuckDB would push a condition down to every event, but not through a list.
    FROM (
        SELECT unnest(list(dst_ip)) AS dst_ip
        FROM (SELECT DISTINCT dst_ip FROM connections WHERE network_connection_initiated)
    )
    WHERE NOT coalesce(is_multicast(dst_ip), false)
),
calls AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_port, dst_ip, outcome, event_creation_time,
        hash(computer_name, process_name, dst_port) AS process_hash
    FROM connections
    WHERE network_connection_initiated
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
        AND CASE
            WHEN $web OR coalesce(dst_port, 0) NOT IN (80, 443) THEN dst_ip IN (SELECT dst_ip FROM hosts)
            ELSE dst_ip IN (SELECT dst_ip FROM hosts WHERE internal)
        END
),
-- Few processes reach so many hosts at all; only theirs are counted per hour. Collisions of hashes only let a few more
-- through.
likely AS (
    SELECT process_hash
    FROM (SELECT DISTINCT process_hash, dst_ip FROM calls)
    GROUP BY process_hash
    HAVING count(*) >= $min_hosts
),
reached AS (
    SELECT
        computer_name, process_name, dst_port, dst_ip, date_trunc('hour', event_creation_time) AS hour,
        count(*) AS connections,
        count(outcome) AS known,
        count(CASE WHEN outcome <> 'established' THEN 1 END) AS refused,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    WHERE process_hash IN (SELECT process_hash FROM likely)
    GROUP BY computer_name, process_name, dst_port, dst_ip, date_trunc('hour', event_creation_time)
),
hourly AS (
    SELECT
        computer_name, process_name, dst_port, hour,
        count(*) AS hosts,
        count(CASE WHEN internal THEN 1 END) AS internal_hosts,
        sum(connections) AS connections,
        CASE WHEN sum(known) > 0 THEN sum(refused) END AS refused,
        min(first_time) AS first_time,
        max(last_time) AS last_time
    FROM reached JOIN hosts USING (dst_ip)
    GROUP BY computer_name, process_name, dst_port, hour
    HAVING count(*) >= $min_hosts
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY computer_name, process_name, dst_port) AS hours,
        row_number() OVER (PARTITION BY computer_name, process_name, dst_port ORDER BY hosts DESC, hour) AS place
    FROM hourly
)
SELECT
    computer_name, process_name, dst_port, hosts, internal_hosts, connections, refused, hours, first_time, last_time
FROM ranked
WHERE place = 1
ORDER BY hosts DESC, computer_name, process_name, dst_port
