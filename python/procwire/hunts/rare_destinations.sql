-- Rare destinations: places in the internet that hardly any computer talks to
--
-- Prevalence in the fleet: a destination of one computer among hundreds is worth a check, one that all use is not.
-- Destinations of programs that connect to few places come first, because most rare ones are from browsing. With data
-- of one computer everything is rare: then the hunt long_tail shows more.
--
-- Parameters:
--   max_share      number = 0.02    Shows destinations of at most this share of the computers, or of only one
--   internal       boolean = false  Includes destinations in private networks
--
-- Columns:
--   dst_ip         text     The destination
--   dst_host_name  text     Its host name, if one was logged
--   computers      integer  Number of computers that connect to it
--   share          number   These computers as a share of all
--   computer_name  text     The first of them
--   processes      text     File names of the programs that connect to it
--   program_destinations  integer  Least number of destinations that one of these programs has in the fleet
--   ports          text     The destination ports
--   connections    integer  Number of connections
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
calls AS (
    SELECT
        dst_ip, process_base_name, computer_name, dst_port,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
    GROUP BY dst_ip, process_base_name, computer_name, dst_port
),
programs AS (
    SELECT lower(process_base_name) AS program, count(DISTINCT dst_ip) AS program_destinations
    FROM calls
    GROUP BY lower(process_base_name)
),
destinations AS (
    SELECT
        dst_ip,
        max(dst_host_name) AS dst_host_name,
        count(DISTINCT computer_name) AS computers,
        min_by(computer_name, first_time) AS computer_name,
        array_to_string(array_sort(list(DISTINCT process_base_name) FILTER (WHERE process_base_name IS NOT NULL)), ', ')
            AS processes,
        min(program_destinations) AS program_destinations,
        array_to_string(array_sort(list(DISTINCT dst_port) FILTER (WHERE dst_port IS NOT NULL)), ', ') AS ports,
        sum(connections) AS connections,
        min(first_time) AS first_time,
        max(last_time) AS last_time
    FROM calls JOIN programs ON lower(process_base_name) IS NOT DISTINCT FROM program
    GROUP BY dst_ip
)
SELECT
    dst_ip, dst_host_name, computers, round(computers * 1e0 / all_computers, 4) AS share, computer_name, processes,
    program_destinations, ports, connections, first_time, last_time
FROM destinations CROSS JOIN fleet
WHERE computers <= greatest(1, $max_share * all_computers)
    AND ($internal OR NOT is_private(dst_ip)) AND NOT is_multicast(dst_ip)
ORDER BY program_destinations, computers, connections, first_time DESC, dst_ip
