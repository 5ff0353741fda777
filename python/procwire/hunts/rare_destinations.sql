-- Rare destinations: places in the internet that hardly any computer talks to
--
-- Prevalence over the fleet: what one computer of hundreds connects to is worth a look, what all use is not. On the
-- data of one computer everything is rare: then the hunt long_tail says more.
--
-- Parameters:
--   max_share      number = 0.02    Shows destinations of at most this share of the computers, or of one
--   internal       boolean = false  Also destinations in private networks
--
-- Columns:
--   dst_ip         text     The destination
--   dst_host_name  text     Its name, where one was logged
--   computers      integer  How many computers connect to it
--   share          number   The same as a share of all
--   computer_name  text     The first of them
--   processes      text     File names of the programs that do
--   ports          text     On which ports
--   connections    integer  How many
--   first_time     time     The first of them
--   last_time      time     The last
WITH fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
destinations AS (
    SELECT
        dst_ip,
        max(dst_host_name) AS dst_host_name,
        count(DISTINCT computer_name) AS computers,
        min_by(computer_name, event_creation_time) AS computer_name,
        array_to_string(array_sort(list(DISTINCT process_base_name) FILTER (WHERE process_base_name IS NOT NULL)), ', ')
            AS processes,
        array_to_string(array_sort(list(DISTINCT dst_port) FILTER (WHERE dst_port IS NOT NULL)), ', ') AS ports,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
    GROUP BY dst_ip
)
SELECT
    dst_ip, dst_host_name, computers, round(computers * 1e0 / all_computers, 4) AS share, computer_name, processes,
    ports, connections, first_time, last_time
FROM destinations CROSS JOIN fleet
WHERE computers <= greatest(1, $max_share * all_computers)
    AND ($internal OR NOT is_private(dst_ip)) AND NOT is_multicast(dst_ip)
ORDER BY computers, connections, first_time DESC, dst_ip
