-- Profile of a computer: what runs on one machine, and its peers
--
-- Its programs, users, peers and ports, and the hours (UTC) at which it connects: the most frequent values of each
-- aspect.
--
-- Parameters:
--   computer     text          Its name, with or without domain; case does not matter
--   top          integer = 10  Number of values shown for each aspect
--
-- Columns:
--   aspect       text     user, program, direction, peer, port, hour
--   value        text     A value that occurs; null if the log has none
--   connections  integer  Number of connections with that value
--   share        number   These connections as a share of all
--   first_time   time     First of these connections
--   last_time    time     Last of these connections
WITH events AS (
    SELECT
        *,
        CASE WHEN local_side = 'src' OR local_side IS NULL THEN dst_ip ELSE src_ip END AS peer_ip,
        CASE WHEN local_side = 'src' OR local_side IS NULL THEN dst_host_name ELSE src_host_name END AS peer_host_name
    FROM connections
    WHERE coalesce(record_kind, 'connection') NOT IN ('close', 'loss')
        AND lower($computer) IN (lower(computer_name), lower(split_part(computer_name, '.', 1)))
),
aspects AS (
    SELECT 'user' AS aspect, user_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'program' AS aspect, process_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'direction' AS aspect, CASE WHEN network_connection_initiated THEN 'out' WHEN NOT network_connection_initiated THEN 'in' END AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'peer' AS aspect, coalesce(peer_host_name, peer_ip) AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'port' AS aspect, concat(network_protocol, ' ', CAST(dst_port AS VARCHAR)) AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'hour' AS aspect, strftime(event_creation_time, '%H') AS value, event_creation_time FROM events
),
counted AS (
    SELECT
        aspect, value,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM aspects
    GROUP BY aspect, value
),
ranked AS (
    SELECT
        *,
        connections * 1e0 / sum(connections) OVER (PARTITION BY aspect) AS share,
        row_number() OVER (PARTITION BY aspect ORDER BY connections DESC, value) AS place
    FROM counted
)
SELECT aspect, value, connections, round(share, 4) AS share, first_time, last_time
FROM ranked
WHERE place <= $top
ORDER BY aspect, place
