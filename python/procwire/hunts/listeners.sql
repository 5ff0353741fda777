-- Unexpected listeners: programs that are connected to, on hardly any computer or from the internet
--
-- Inbound connections per program and local port. Which end is the local one differs between versions of Sysmon
-- (`local_side` in the dictionary); rows in which it is unknown are omitted, and so are loopback and UDP answers to
-- high ports.
--
-- Parameters:
--   max_share      number = 0.02   Shows programs that listen on at most this share of the computers, or on only one
--   min_ephemeral  integer = 49152  First ephemeral port: UDP ports from here on are not services, and all TCP ports of
--                                   a program from here on count as one
--
-- Columns:
--   computer_name     text     Computer on which the process runs
--   process_name      text     Path of its executable
--   user_name         text     One of the accounts it ran under
--   network_protocol  text     tcp or udp
--   port              integer  Its local port; the lowest, if they are ephemeral
--   clients           integer  Number of addresses that connected to it
--   internet_clients  integer  Number of these in the internet
--   client_ip         text     One of the clients, in the internet if there is one
--   computers         integer  Number of computers that have the program on that port
--   connections       integer  Number of connections
--   first_time        time     First of these connections
--   last_time         time     Last of these connections
WITH fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
inbound AS (
    SELECT
        computer_name, process_name, lower(process_base_name) AS program, user_name, network_protocol,
        CASE WHEN local_side = 'src' THEN src_port ELSE dst_port END AS port,
        CASE WHEN local_side = 'src' THEN dst_ip ELSE src_ip END AS client_ip,
        event_creation_time
    FROM connections
    WHERE NOT network_connection_initiated AND local_side IS NOT NULL
        AND coalesce(record_kind, 'connection') = 'connection'
),
-- There are far fewer clients than connections; both counts below use the clients.
pairs AS (
    SELECT
        computer_name, process_name, program, network_protocol, port, client_ip,
        min_by(user_name, event_creation_time) AS user_name,
        min(CASE WHEN user_name IS NOT NULL THEN event_creation_time END) AS user_time,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM inbound
    WHERE network_protocol <> 'udp' OR port < $min_ephemeral
    GROUP BY computer_name, process_name, program, network_protocol, port, client_ip
),
-- Classify each address once.
clients AS (
    SELECT client_ip, is_loopback(client_ip) AS loopback, NOT is_private(client_ip) AND NOT is_multicast(client_ip)
        AS from_internet
    FROM (SELECT DISTINCT client_ip FROM pairs) AS addresses
),
served AS (
    SELECT
        *,
        least(port, $min_ephemeral) AS service
    FROM pairs JOIN clients USING (client_ip)
    WHERE NOT loopback
),
programs AS (
    SELECT program, network_protocol, service, count(DISTINCT computer_name) AS computers
    FROM served
    GROUP BY program, network_protocol, service
),
listening AS (
    SELECT
        computer_name, process_name, program, network_protocol, service,
        min(port) AS port,
        min_by(user_name, user_time) AS user_name,
        count(DISTINCT client_ip) AS clients,
        count(DISTINCT CASE WHEN from_internet THEN client_ip END) AS internet_clients,
        coalesce(min(CASE WHEN from_internet THEN client_ip END), min(client_ip)) AS client_ip,
        sum(connections) AS connections,
        min(first_time) AS first_time,
        max(last_time) AS last_time
    FROM served
    GROUP BY computer_name, process_name, program, network_protocol, service
)
SELECT
    computer_name, process_name, user_name, s.network_protocol, port, clients, internet_clients, client_ip, computers,
    connections, first_time, last_time
FROM listening AS s
JOIN programs AS p
    ON s.program IS NOT DISTINCT FROM p.program AND s.network_protocol IS NOT DISTINCT FROM p.network_protocol
    AND s.service = p.service
CROSS JOIN fleet
WHERE internet_clients > 0 OR computers <= greatest(1, $max_share * all_computers)
ORDER BY internet_clients DESC, computers, connections, computer_name, process_name, port, s.network_protocol
