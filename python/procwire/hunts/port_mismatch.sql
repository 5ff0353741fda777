-- Port and name mismatch: a program on the port of a service that it is no client of, or a client on another port
--
-- Two signs of tunnels and disguises: an unknown program on the port of DNS, SMTP, Kerberos, LDAP or SSH (unexpected
-- program), and a client with fixed ports that uses another one (unexpected port). Programs are identified by their
-- file's name, so renamed tools appear here, too.
--
-- Parameters:
--   usual          texts = system,svchost.exe   File names of programs that may use any port
--   max_share      number = 0.05   Omits what more than this share of the computers do, unless it is only one
--
-- Columns:
--   mismatch       text     unexpected program, or unexpected port
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   dst_port       integer  Destination port
--   expected       text     Programs that the port is for, or ports that the program is for
--   dst_ip         text     The first destination
--   dst_host_name  text     Host name of one, if one was logged
--   hosts          integer  Number of destinations
--   computers      integer  Number of computers with the same program on the same port
--   connections    integer  Number of connections
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH clients (port, programs) AS (
    VALUES
    (22, ' ssh ssh.exe sftp sftp.exe scp scp.exe git git.exe putty.exe plink.exe pscp.exe winscp.exe filezilla.exe rsync '),
    (25, ' outlook.exe thunderbird.exe thunderbird master smtp sendmail postfix exim4 msmtp edgetransport.exe '),
    (53, ' dns.exe named unbound dnsmasq systemd-resolved systemd-resolve nslookup.exe dig host nslookup lsass.exe '
        || 'avahi-daemon chrome.exe msedge.exe firefox.exe nscd mdnsresponder.exe '),
    (88, ' lsass.exe kinit sssd_be krb5_child klist.exe '),
    (389, ' lsass.exe sssd_be dsa.msc mmc.exe ldapsearch ldp.exe dfsrs.exe winlogon.exe '),
    (587, ' outlook.exe thunderbird.exe thunderbird smtp msmtp '),
    (636, ' lsass.exe sssd_be mmc.exe ldapsearch ldp.exe '),
    (3389, ' mstsc.exe msrdc.exe remmina xfreerdp rdpclip.exe rdcman.exe '),
    (6667, ' hexchat hexchat.exe irssi mirc.exe weechat ')
),
made_for (program, ports) AS (
    VALUES
    ('ssh', ' 22 '), ('ssh.exe', ' 22 '), ('putty.exe', ' 22 23 '), ('plink.exe', ' 22 '), ('winscp.exe', ' 21 22 443 '),
    ('mstsc.exe', ' 3389 443 '), ('lsass.exe', ' 53 80 88 135 389 443 445 464 636 3268 3269 '),
    ('iexplore.exe', ' 80 443 8000 8008 8080 8443 3128 '), ('notepad.exe', ' none '), ('spoolsv.exe', ' 139 445 515 631 9100 ')
),
fleet AS (SELECT count(DISTINCT computer_name) AS all_computers FROM connections),
calls AS NOT MATERIALIZED (
    SELECT computer_name, process_name, dst_ip, dst_port, dst_host_name, event_creation_time
    FROM connections
    WHERE network_connection_initiated AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
),
-- Judge each program and port once. They go through a list: DuckDB pushes no condition down below one, and expects few
-- rows from it, so in the join it holds those in memory, not the events.
used AS (
    SELECT pair.process_name, pair.dst_port, lower(regexp_extract(pair.process_name, '[^\\/]*$')) AS program
    FROM (
        SELECT unnest(list(struct_pack(process_name := process_name, dst_port := dst_port))) AS pair
        FROM (SELECT DISTINCT process_name, dst_port FROM calls)
    )
),
mismatched AS (
    SELECT 'unexpected program' AS mismatch, process_name, program, dst_port, trim(programs) AS expected
    FROM used JOIN clients ON dst_port = port
    WHERE program <> '' AND NOT list_contains($usual, program)
        AND programs NOT LIKE concat('% ', replace(program, '_', '\_'), ' %') ESCAPE '\'
    UNION ALL
    -- RPC assigns ports from 49152 on: a client's are not known there.
    SELECT 'unexpected port' AS mismatch, process_name, u.program, dst_port, trim(ports) AS expected
    FROM used AS u JOIN made_for AS m ON u.program = m.program
    WHERE NOT list_contains($usual, u.program)
        AND dst_port < 49152 AND ports NOT LIKE concat('% ', CAST(dst_port AS VARCHAR), ' %')
),
mismatches AS (
    SELECT
        mismatch, expected, computer_name, c.process_name, program, c.dst_port, dst_ip,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls AS c JOIN mismatched AS m ON c.process_name = m.process_name AND c.dst_port = m.dst_port
    GROUP BY mismatch, expected, computer_name, c.process_name, program, c.dst_port, dst_ip
),
programs AS (
    SELECT mismatch, program, dst_port, count(DISTINCT computer_name) AS computers
    FROM mismatches
    GROUP BY mismatch, program, dst_port
),
processes AS (
    SELECT
        mismatch, computer_name, process_name, program, dst_port, expected,
        min_by(dst_ip, first_time) AS dst_ip,
        max(dst_host_name) AS dst_host_name,
        count(DISTINCT dst_ip) AS hosts,
        sum(connections) AS connections,
        min(first_time) AS first_time,
        max(last_time) AS last_time
    FROM mismatches
    WHERE NOT coalesce(is_loopback(dst_ip), false)
    GROUP BY mismatch, computer_name, process_name, program, dst_port, expected
)
SELECT
    m.mismatch, computer_name, process_name, m.dst_port, expected, dst_ip, dst_host_name, hosts, computers, connections,
    first_time, last_time
FROM processes AS m
JOIN programs AS p ON m.mismatch = p.mismatch AND m.program = p.program AND m.dst_port = p.dst_port
CROSS JOIN fleet
WHERE computers <= greatest(1, $max_share * all_computers)
ORDER BY computers, connections, m.mismatch, computer_name, process_name, m.dst_port
