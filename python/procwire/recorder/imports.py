"""Import what a recording needs after it has changed its account, which may not read where Python's modules are."""

from __future__ import annotations

from procwire.recorder.settings import RecordingSettings

__all__ = ["import_all"]


def import_all(settings: RecordingSettings, *, lines: bool) -> None:
    """Import every module of a recording by lines, or by batches. Lines do without Arrow."""
    import json  # noqa: F401

    _import_for_lines(settings) if lines else _import_for_batches(settings)
    if settings.dns_lookup:
        import dns.resolver
        import dns.reversename  # noqa: F401


def _import_for_lines(settings: RecordingSettings) -> None:
    import procwire.enrich.naming
    import procwire.enrich.ports
    import procwire.recorder.lines
    import procwire.sinks.lines

    if settings.where or settings.config:
        import procwire.recorder.deciding
    if settings.images:
        import procwire.recorder.images
        import procwire.sysmon  # noqa: F401


def _import_for_batches(settings: RecordingSettings) -> None:
    import procwire.enrich
    import procwire.enrich.columns
    import procwire.enrich.host_columns
    import procwire.recorder.loop
    import procwire.recorder.outputs
    import procwire.sinks.recording

    if settings.writes_to_lake:
        import procwire.lake.recording  # noqa: F401
