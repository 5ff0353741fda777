-- Fan-out: one process connects to many hosts on one port
--
-- A sweep looks for whoever answers; worms, scanners and tools of lateral movement do so. Counted per hour of the clock;
-- the hour with most hosts is shown. Web ports of the internet are left out: browsers would be all there is to see.
--
-- Parameters:
--   min_hosts      integer = 20     Shows processes that reach so many hosts within an hour
--   web            boolean = false  Also the internet's ports 80 and 443
--
-- Columns:
--   computer_name  text     Where the process runs
--   process_name   text     Its executable
--   dst_port       integer  The port
--   hosts          integer  How many addresses it connected to in the worst hour
--   internal_hosts integer  How many of these are in private networks
--   connections    integer  Connections in that hour
--   refused        integer  How many of them failed; null where the data do not tell
--   hours          integer  In how many hours it reached min_hosts
--   first_time     time     First connection in the worst hour
--   last_time      time     Last connection in the worst hour
WITH hosts AS (
    SELECT dst_ip, is_private(dst_ip) AS internal
    -- Each address is asked once: DuckDB would carry a condition down to every event, but not through a list.
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
-- Few processes reach so many hosts at all, and an hour's are counted for those alone. That some share a hash only lets
-- a few more through.
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
        count(outcome) AS told,
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
        CASE WHEN sum(told) > 0 THEN sum(refused) END AS refused,
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
