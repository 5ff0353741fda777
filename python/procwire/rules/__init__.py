"""Sysmon's configuration files: parse, check, compile to SQL, apply, explain."""
