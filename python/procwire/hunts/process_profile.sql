-- Profile of a process: what one program does in the network
--
-- Its computers, users, command lines, peers, the names it queried for them, ports, and hours (UTC): the most frequent
-- values of each aspect. Parents, command lines and names come from Sysmon's events 1 and 22, if these were read, too.
--
-- Parameters:
--   process      text          The executable: its path, or its file's name; case does not matter
--   top          integer = 10  Number of values shown for each aspect
--
-- Columns:
--   aspect       text     computer, user, program, parent, command line, direction, peer, name, port, hour
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
    FROM enriched
    WHERE coalesce(record_kind, 'connection') NOT IN ('close', 'loss')
        AND lower($process) IN (lower(process_name), lower(process_base_name))
),
aspects AS (
    SELECT 'computer' AS aspect, computer_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'user' AS aspect, user_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'program' AS aspect, process_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'parent' AS aspect, process_parent_name AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'command line' AS aspect, process_command_line AS value, event_creation_time FROM events
    UNION ALL
    SELECT 'name' AS aspect, dns_query_name AS value, event_creation_time FROM events
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
