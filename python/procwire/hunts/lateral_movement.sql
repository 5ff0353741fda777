-- Lateral movement: remote administration ports of other computers, by programs that do not use them
--
-- Connections to private addresses on the ports of SSH, RPC, SMB, RDP, VNC and WinRM, by a program that is not a usual
-- client of them and that does so on few computers. Administrators' own tools appear, too: add them to `usual`.
--
-- Parameters:
--   ports          integers = 22,135,139,445,3389,5900,5985,5986   The ports for remote administration
--   usual          texts = system,svchost.exe,lsass.exe,mstsc.exe,ssh,ssh.exe,sftp,scp,git.exe,putty.exe,winscp.exe,explorer.exe,dfsrs.exe,spoolsv.exe,services.exe
--                  File names of the programs that normally use them
--   max_share      number = 0.05    Omits programs that do so on more than this share of the computers, unless on one
--
-- Columns:
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   user_name      text     One of the accounts it ran under
--   dst_port       integer  Destination port
--   hosts          integer  Number of hosts it connected to
--   dst_ip         text     The first of them
--   dst_host_name  text     Host name of one of them, if one was logged
--   computers      integer  Number of computers on which the program does so
--   connections    integer  Number of connections
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
calls AS (
    SELECT
        computer_name, process_name, lower(process_base_name) AS program, user_name, dst_port, dst_ip, dst_host_name,
        event_creation_time
    FROM connections
    WHERE network_connection_initiated
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
        AND list_contains($ports, dst_port)
        AND NOT coalesce(list_contains($usual, lower(process_base_name)), false)
        AND is_private(dst_ip) AND NOT is_loopback(dst_ip) AND dst_ip <> coalesce(src_ip, '')
),
programs AS (
    SELECT program, dst_port, count(DISTINCT computer_name) AS computers FROM calls GROUP BY program, dst_port
),
processes AS (
    SELECT
        computer_name, process_name, program, dst_port,
        min_by(user_name, event_creation_time) AS user_name,
        count(DISTINCT dst_ip) AS hosts,
        min_by(dst_ip, event_creation_time) AS dst_ip,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    GROUP BY computer_name, process_name, program, dst_port
)
SELECT
    computer_name, process_name, user_name, c.dst_port, hosts, dst_ip, dst_host_name, computers, connections,
    first_time, last_time
FROM processes AS c
JOIN programs AS p ON c.program IS NOT DISTINCT FROM p.program AND c.dst_port = p.dst_port
CROSS JOIN fleet
WHERE computers <= greatest(1, $max_share * all_computers)
ORDER BY hosts DESC, computers, first_time, computer_name, process_name, c.dst_port
