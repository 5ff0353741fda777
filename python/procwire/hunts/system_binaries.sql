-- System binaries that connect out: shells, script hosts and tools that have no reason to use the internet
--
-- System programs that attackers abuse, each with its peers. Some have legitimate reasons (updates, administration):
-- these occur on many computers, and come last.
--
-- Parameters:
--   programs       texts = powershell.exe,pwsh.exe,cmd.exe,rundll32.exe,regsvr32.exe,mshta.exe,wscript.exe,cscript.exe,certutil.exe,bitsadmin.exe,msbuild.exe,installutil.exe,regasm.exe,regsvcs.exe,cmstp.exe,control.exe,hh.exe,ieexec.exe,msiexec.exe,msdt.exe,odbcconf.exe,presentationhost.exe,wmic.exe,xwizard.exe,dllhost.exe,notepad.exe,calc.exe,eqnedt32.exe,forfiles.exe,makecab.exe,replace.exe,schtasks.exe,conhost.exe,lsass.exe,winlogon.exe,csrss.exe,smss.exe,spoolsv.exe,bash,sh,dash,zsh,nc,ncat,socat,perl,awk,gawk,xxd,base64,cat,tee,whois,finger
--                  File names of such programs, in lower case
--   internal       boolean = false  Includes destinations in private networks
--
-- Columns:
--   computer_name  text     Computer on which the process runs
--   process_name   text     Path of its executable
--   user_name      text     One of the accounts it ran under
--   dst_ip         text     Address that it connects to
--   dst_port       integer  Destination port
--   dst_host_name  text     Its host name, if one was logged
--   computers      integer  Number of computers on which a program of this name talks to this address
--   connections    integer  Number of connections
--   first_time     time     First of these connections
--   last_time      time     Last of these connections
WITH calls AS (
    SELECT
        computer_name, process_name, lower(process_base_name) AS program, user_name, dst_ip, dst_port, dst_host_name,
        event_creation_time
    FROM connections
    WHERE network_connection_initiated
        AND coalesce(record_kind, 'connection') IN ('connection', 'attempt')
        AND list_contains($programs, lower(process_base_name))
        AND NOT is_loopback(dst_ip) AND NOT is_multicast(dst_ip) AND ($internal OR NOT is_private(dst_ip))
),
programs AS (
    SELECT program, dst_ip, count(DISTINCT computer_name) AS computers FROM calls GROUP BY program, dst_ip
),
processes AS (
    SELECT
        computer_name, process_name, program, dst_ip, dst_port,
        min_by(user_name, event_creation_time) AS user_name,
        max(dst_host_name) AS dst_host_name,
        count(*) AS connections,
        min(event_creation_time) AS first_time,
        max(event_creation_time) AS last_time
    FROM calls
    GROUP BY computer_name, process_name, program, dst_ip, dst_port
)
SELECT
    computer_name, process_name, user_name, c.dst_ip, dst_port, dst_host_name, computers, connections, first_time,
    last_time
FROM processes AS c JOIN programs AS p ON c.program = p.program AND c.dst_ip = p.dst_ip
ORDER BY computers, first_time, computer_name, process_name, c.dst_ip, dst_port
