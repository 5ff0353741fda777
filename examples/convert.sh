#!/usr/bin/env bash
# Convert a log to Parquet, CSV and Sysmon's own XML, and the XML back into the same rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
procwire read examples/sysmon.evtx -o "$folder/connections.parquet"
procwire read examples/sysmon.evtx -o "$folder/connections.csv" --names sysmon
procwire read examples/sysmon.evtx -o "$folder/connections.xml"
procwire read examples/sysmon.evtx --columns event_creation_time,process_guid,dst_ip,dst_port > "$folder/from-evtx"
procwire read "$folder/connections.xml" --columns event_creation_time,process_guid,dst_ip,dst_port > "$folder/from-xml"
cmp "$folder/from-evtx" "$folder/from-xml"
wc -c "$folder"/connections.*
