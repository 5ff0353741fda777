-- First-seen destinations: where programs connect to that they never did before
--
-- Pairs of a program (by its file's name) and a destination (by its host name, else its address) that do not occur in
-- the fleet's past: all data before `since`. With little past, much is new. A program that is itself new is marked,
-- since all its destinations are new.
--
-- Parameters:
--   since          time = null     New means first seen since then; without it, in the last 7 days
--                                of the data, or in its later half if it is shorter than 14 days
--   internal       boolean = true  Includes destinations in private networks
--   max_computers  integer = 1000  Omits pairs that at least this many computers started at once
--
-- Columns:
--   process_base_name  text     The program's file name, in lower case
--   destination        text     Host name, else address
--   dst_ip             text     One of its addresses
--   dst_port           integer  One of the ports
--   process_is_new     boolean  Whether the program itself was never seen connecting before
--   destinations       integer  Number of all destinations of the program: those with few come first
--   computers          integer  Number of computers on which this program connects to it
--   computer_name      text     One of them
--   process_name       text     The program's path there
--   connections        integer  Number of connections
--   first_time         time     First of these connections
--   last_time          time     Last of these connections
WITH calls AS (
    SELECT
        lower(process_base_name) AS process_base_name, coalesce(lower(dst_host_name), dst_ip) AS destination,
        computer_name, process_name, dst_ip, dst_port, event_creation_time
    FROM connections
    WHERE network_connection_initiated AND dst_ip IS NOT NULL AND dst_ip <> '::1' AND dst_ip NOT LIKE '127.%'
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
bounds AS (
    SELECT
        coalesce(
            CAST($since AS TIMESTAMPTZ),
            max(event_creation_time) - INTERVAL 1 SECOND * least(
                7 * 86400, date_diff('second', min(event_creation_time), max(event_creation_time)) // 2
            )
        ) AS since
    FROM calls
),
pairs AS (
    SELECT
        process_base_name, destination,
        min_by(dst_ip, event_creation_time) AS dst_ip,
        min_by(dst_port, event_creation_time) AS dst_port,
        min_by(computer_name, event_creation_time) AS computer_name,
        min_by(process_name, event_creation_time) AS process_name,
        count(DISTINCT computer_name) AS computers,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    GROUP BY process_base_name, destination
),
dated AS (
    SELECT
        *,
        min(first_time) OVER (PARTITION BY process_base_name) AS process_first_time,
        count(*) OVER (PARTITION BY process_base_name) AS destinations
    FROM pairs
)
SELECT
    process_base_name, destination, dst_ip, dst_port, process_first_time >= since AS process_is_new,
    destinations, computers, computer_name, process_name, connections, first_time, last_time
FROM dated CROSS JOIN bounds
WHERE first_time >= since AND computers <= $max_computers AND ($internal OR NOT is_private(dst_ip))
-- A new destination is remarkable for a program with few of them, not for a browser. New programs are ranked among the
-- others: intruders bring their own.
ORDER BY destinations, computers, first_time DESC, process_base_name, destination
