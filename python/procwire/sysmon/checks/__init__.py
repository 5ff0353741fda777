"""Check configurations, with one file per family of checks; `sysmon/check.py` puts them together."""
