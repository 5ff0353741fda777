"""Show which processes talked to the most addresses."""

import duckdb

import procwire

connections = procwire.scan(
    "examples/sysmon.evtx",
    columns=["process_base_name", "dst_ip", "dst_port", "local_side"],
    where="network_connection_initiated",
)
print(
    duckdb.sql("""
        SELECT process_base_name, count(DISTINCT dst_ip) AS addresses, list_sort(list(DISTINCT dst_port)) AS ports
        FROM connections
        GROUP BY ALL
        ORDER BY addresses DESC, process_base_name
    """)
)
