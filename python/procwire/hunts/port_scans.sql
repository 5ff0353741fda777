-- Port scans: one process tries many ports of one host
--
-- Counted per clock hour; the hour with the most ports is shown. A recording made with --attempts includes refused
-- connections; Sysmon for Windows logs only those that were answered.
--
-- Parameters:
--   min_ports      integer = 15  Shows pairs with at least this many ports within an hour
--
-- Columns:
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   dst_ip         text     The host that it tries
--   dst_host_name  text     Its host name, if one was logged
--   ports          integer  Number of ports in the worst hour
--   low_ports      integer  Number of these below 1024
--   connections    integer  Connections in that hour
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH calls AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_ip, dst_host_name, dst_port, event_creation_time,
        hash(computer_name, process_name, dst_ip) AS pair_hash
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
-- Few pairs have many ports at all; only theirs are counted per hour. In base 41 a port has three digits, and a pair
-- has at most as many ports as the product of the numbers of different digits at each position: so nothing is missed, and
-- three numbers per pair are enough. Collisions of hashes only let a few more through.
likely AS (
    SELECT pair_hash
    FROM calls
    GROUP BY pair_hash
    HAVING count(*) >= $min_ports
        AND CAST(bit_count(bit_or(CAST(1 AS BIGINT) << (dst_port % 41))) AS INTEGER)
        * bit_count(bit_or(CAST(1 AS BIGINT) << (dst_port // 41 % 41)))
        * bit_count(bit_or(CAST(1 AS BIGINT) << (dst_port // 1681))) >= $min_ports
),
tried AS (
    SELECT
        computer_name, process_name, dst_ip, dst_port, date_trunc('hour', event_creation_time) AS hour,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    WHERE pair_hash IN (SELECT pair_hash FROM likely)
    GROUP BY computer_name, process_name, dst_ip, dst_port, date_trunc('hour', event_creation_time)
),
hourly AS (
    SELECT
        computer_name, process_name, dst_ip, hour,
        max(dst_host_name) AS dst_host_name,
        count(dst_port) AS ports,
        count(CASE WHEN dst_port < 1024 THEN 1 END) AS low_ports,
        sum(connections) AS connections,
        min(first_time) AS first_time,
        max(last_time) AS last_time
    FROM tried
    GROUP BY computer_name, process_name, dst_ip, hour
    HAVING count(dst_port) >= $min_ports
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY computer_name, process_name, dst_ip ORDER BY ports DESC, hour) AS place
    FROM hourly
)
SELECT computer_name, process_name, dst_ip, dst_host_name, ports, low_ports, connections, first_time, last_time
FROM ranked
WHERE place = 1
ORDER BY ports DESC, computer_name, process_name, dst_ip
