-- Top talkers: which processes connect most
--
-- Per computer and executable, outbound and inbound. Bytes are known if a recording has the ends of connections
-- (--closes).
--
-- Parameters:
--   min_connections  integer = 1   Omits executables with fewer connections
--
-- Columns:
--   computer_name    text     Computer on which the process runs
--   process_name     text     Path of its executable
--   connections      integer  Number of connections
--   share            number   These connections as a share of all
--   outbound         integer  Number of these that it initiated
--   destinations     integer  Number of addresses
--   ports            integer  Number of ports
--   sent_bytes       integer  Bytes that it sent; null where unknown
--   received_bytes   integer  Bytes that it received; null where unknown
--   first_time       time     First of these connections
--   last_time        time     Last of these connections
WITH events AS (
    SELECT
        computer_name, process_name, network_connection_initiated, dst_ip, dst_port, sent_bytes, received_bytes,
        event_creation_time, coalesce(record_kind, 'connection') AS kind
    FROM connections
    WHERE coalesce(record_kind, 'connection') <> 'loss'
),
talkers AS (
    SELECT
        computer_name, process_name,
        count(CASE WHEN kind <> 'close' THEN 1 END) AS connections,
        count(CASE WHEN kind <> 'close' AND network_connection_initiated THEN 1 END) AS outbound,
        count(DISTINCT CASE WHEN network_connection_initiated THEN dst_ip END) AS destinations,
        count(DISTINCT CASE WHEN network_connection_initiated THEN dst_port END) AS ports,
        sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM events
    GROUP BY computer_name, process_name
)
SELECT
    computer_name, process_name, connections,
    round(connections * 1e0 / greatest(1, sum(connections) OVER ()), 4) AS share,
    outbound, destinations, ports, sent_bytes, received_bytes, first_time, last_time
FROM talkers
WHERE connections >= $min_connections
ORDER BY connections DESC, computer_name, process_name
