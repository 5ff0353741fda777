"""Turn `-n PROCESS,...` into rules: filters on Image, as Sysmon's own switch adds them to a configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from procwire.errors import ConfigurationError
from procwire.sysmon.model import NETWORK_CONNECT, Configuration, Element, Filter, Finding, OnMatch, Place

if TYPE_CHECKING:
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = ["images_filter", "logged_images", "with_images"]

_NOWHERE = Place(1, 1)
# The configuration of a recording without `--config`.
_EMPTY = Configuration("-n", (4, 90), (), dns_lookup=True, field_sizes={}, findings=())


def with_images(configuration: Configuration, names: Sequence[str]) -> Configuration:
    """Return the configuration with filters for these processes.

    They come first in the first element that includes network connections, or in a new one; without names, the new
    element logs every connection.

    Raises ConfigurationError, with the places, if elements exclude: Sysmon does not accept -n PROCESS beside them.
    """
    elements = configuration.network_connect
    if not names:
        return replace(configuration, elements=(_element("exclude"),))
    excluding = [element for element in elements if element.onmatch == "exclude"]
    if excluding:
        text = 'found <NetworkConnect onmatch="exclude">, expected "include" only, for -n adds processes to be logged'
        raise ConfigurationError(configuration.path, [Finding(element.place, "error", text) for element in excluding])
    first = elements[0] if elements else _element("include")
    added = replace(first, operands=(*_filters(names, first), *first.operands))
    others = configuration.elements if elements else (*configuration.elements, first)
    return replace(configuration, elements=tuple(added if element is first else element for element in others))


def images_filter(names: Sequence[str]) -> ConfigFilter:
    """Return rules for batches that log these processes, for a recording without a configuration."""
    from procwire.sysmon.config_filter import ConfigFilter

    return ConfigFilter(with_images(_EMPTY, names))


def logged_images(names: Sequence[str] | None) -> Callable[[str | None], bool]:
    """Return a function for whether the rules of `images_filter` log an image, None if unknown; no names log all."""
    if not names:
        return lambda _: True
    from procwire.sysmon.evaluate import decide
    from procwire.sysmon.forms import text_of

    rules = with_images(_EMPTY, names)
    return lambda image: decide(rules, {"Image": text_of("Image", image)}).logged


def _filters(names: Sequence[str], element: Element) -> list[Filter]:
    filters = []
    for name in names:
        filters.append(Filter("Image", "image", name, element.name, element.place))
        # Sysmon's `image` splits paths only at `\`, so by itself it finds no name on Linux.
        if "/" not in name and "\\" not in name:
            filters.append(Filter("Image", "end with", f"/{name}", element.name, element.place))
    return filters


def _element(onmatch: OnMatch) -> Element:
    return Element(NETWORK_CONNECT, onmatch, "or", False, "", (), _NOWHERE)
