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
WITH calls AS (
    SELECT
        computer_name, process_name, dst_port, dst_ip, date_trunc('hour', event_creation_time) AS hour,
        count(*) AS connections,
        count(outcome) AS told,
        count(CASE WHEN outcome <> 'established' THEN 1 END) AS refused,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
    GROUP BY computer_name, process_name, dst_port, dst_ip, date_trunc('hour', event_creation_time)
),
hosts AS (
    SELECT dst_ip, is_private(dst_ip) AS internal, is_multicast(dst_ip) AS multicast
    FROM (SELECT DISTINCT dst_ip FROM calls)
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
    FROM calls JOIN hosts USING (dst_ip)
    WHERE NOT coalesce(multicast, false) AND ($web OR internal OR coalesce(dst_port, 0) NOT IN (80, 443))
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
