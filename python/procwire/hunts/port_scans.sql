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
WITH hourly AS (
    SELECT
        computer_name, process_name, dst_ip, date_trunc('hour', event_creation_time) AS hour,
        max(dst_host_name) AS dst_host_name,
        count(DISTINCT dst_port) AS ports,
        count(DISTINCT CASE WHEN dst_port < 1024 THEN dst_port END) AS low_ports,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
    GROUP BY computer_name, process_name, dst_ip, date_trunc('hour', event_creation_time)
    HAVING count(DISTINCT dst_port) >= $min_ports
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
