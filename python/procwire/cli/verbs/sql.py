"""`procwire sql`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, number, option, path
from procwire.cli.verbs.shared import (
    FILES,
    FORCE,
    LAKE,
    LOGS,
    OUTPUT,
    QUERY,
    QUERY_LIMITS,
    SINCE,
    TO,
    UNPACK,
    UNTIL,
)

__all__ = ["VERB"]

VERB = Verb(
    "sql.sql",
    """Query the lake, or logs, in SQL: connections, processes, destinations, pairs, process_creations, dns_queries,
and enriched: connections with command line, parent and the host name that was queried.

`connections` has a row for each event, with the names of `procwire dictionary`; ip_in(dst_ip, '10.0.0.0/8'),
is_private(dst_ip) and other functions test addresses.""",
    [
        argument("query", metavar="QUERY", count="?", help="A query in DuckDB's SQL; - is stdin."),
        LOGS,
        FILES,
        option("--file", metavar="FILE", type=path, help="Read the query from FILE; - is stdin. Then QUERY is a LOG."),
        LAKE,
        SINCE,
        UNTIL,
        TO,
        OUTPUT,
        FORCE,
        option(
            "--limit",
            metavar="N",
            type=number(0),
            help="Stop after N rows; 0 is all. [default: 100 on a terminal, else all]",
        ),
        *QUERY_LIMITS,
        UNPACK,
    ],
    """\
Examples:
  procwire sql "SELECT process_name, count(*) FROM connections GROUP BY ALL ORDER BY 2 DESC"
  procwire sql "FROM destinations ORDER BY connections DESC" --limit 20
  procwire sql "FROM connections WHERE ip_in(dst_ip, '10.0.0.0/8')" logs/ --to csv
  procwire sql "FROM pairs WHERE NOT is_private(dst_ip)" --since 7d -o pairs.parquet
  procwire sql "FROM connections" week.parquet --since 2024-03-01 --until 2024-03-02
  procwire sql --file question.sql logs/
  procwire sql --file question.sql --engine spark --master spark://head:7077
  procwire sql "DESCRIBE connections"              its columns; SHOW TABLES: all tables

Exit codes:
  0    answered (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used, there is no lake, the SQL is not one query, or it exceeds a limit
  3    answered, but the logs are damaged
  130  ended by Ctrl-C, 143 by SIGTERM
""",
    groups=[QUERY],
)
