-- Long tail: programs that talk to the internet on hardly any computer
--
-- Programs that connect out and that few computers run, by path, without the parts that differ between users; the
-- rarest first.
--
-- Parameters:
--   max_share      number = 0.02   Shows programs on at most this share of the computers, or on only one
--
-- Columns:
--   process_name   text     The executable; the user's name in its path is *
--   computers      integer  Number of computers on which it connects out
--   share          number   These computers as a share of all
--   computer_name  text     One of them
--   user_name      text     One of the accounts it ran under
--   connections    integer  Number of connections to the internet
--   destinations   integer  Number of addresses
--   dst_host_name  text     Host name of one of them, if one was logged
--   dst_ip         text     The first of them
--   ports          text     The destination ports
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
-- Classify each address once: DuckDB would push the condition down to every event, but not through a list.
internet AS (
    SELECT dst_ip
    FROM (
        SELECT unnest(list(dst_ip)) AS dst_ip
        FROM (SELECT DISTINCT dst_ip FROM connections WHERE network_connection_initiated)
    )
    WHERE NOT is_private(dst_ip) AND NOT is_multicast(dst_ip)
),
calls AS (
    SELECT
        regexp_replace(process_name, '(?i)^(.:\\Users\\|/home/)[^\\/]+', '\1*') AS process_name,
        computer_name, user_name, dst_ip, dst_host_name, dst_port, event_creation_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IN (SELECT dst_ip FROM internet)
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
programs AS (
    SELECT
        process_name,
        count(DISTINCT computer_name) AS computers,
        min_by(computer_name, event_creation_time) AS computer_name,
        min_by(user_name, event_creation_time) AS user_name,
        count(*) AS connections,
        count(DISTINCT dst_ip) AS destinations,
        max(dst_host_name) AS dst_host_name,
        min_by(dst_ip, event_creation_time) AS dst_ip,
        array_to_string(array_sort(list(DISTINCT dst_port) FILTER (WHERE dst_port IS NOT NULL)), ', ') AS ports,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    GROUP BY process_name
)
SELECT
    process_name, computers, round(computers * 1e0 / all_computers, 4) AS share, computer_name, user_name, connections,
    destinations, dst_host_name, dst_ip, ports, first_time, last_time
FROM programs CROSS JOIN fleet
WHERE computers <= greatest(1, $max_share * all_computers)
ORDER BY computers, connections, process_name
