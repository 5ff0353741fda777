-- Port scans: one process tries many ports of one host
--
-- Counted per hour of the clock; the hour with most ports is shown. What is counted are connections: a recording made
-- with --attempts has the refused ones too, Sysmon for Windows logs those that were answered.
--
-- Parameters:
--   min_ports      integer = 15  Shows pairs with so many ports within an hour
--
-- Columns:
--   computer_name  text     Where the process runs
--   process_name   text     Its executable
--   dst_ip         text     The host that it tries
--   dst_host_name  text     Its name, where one was logged
--   ports          integer  How many ports in the worst hour
--   low_ports      integer  How many of them below 1024
--   connections    integer  Connections in that hour
--   first_time     time     The first of them
--   last_time      time     The last
WITH calls AS NOT MATERIALIZED (
    SELECT
        computer_name, process_name, dst_ip, dst_host_name, dst_port, event_creation_time,
        hash(computer_name, process_name, dst_ip) AS pair_hash
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
-- Hardly any pair has many ports at all, and an hour's are counted for those alone. In base 41 a port has three digits;
-- it has at most as many values as the product of how many different ones stand at each place: so nothing is left out,
-- and of a pair three numbers are kept. That some share a hash only lets a few more through.
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
