"""Read a rule's log source: whether it is about network connections, or names that are looked up."""

from __future__ import annotations

from procwire.sigma.model.fields import CATEGORIES
from procwire.sigma.model.rule import LogSource
from procwire.sigma.problems import OtherEvents, Unusable
from procwire.words import nearest, shown

__all__ = ["PRODUCTS", "log_source"]

PRODUCTS = ("windows", "linux")
_SERVICES_OF_NETWORK = (None, "connection", "dns")
# Higher than for other names: there are many categories, and few are ours.
_ALIKE = 0.85


def log_source(found: object) -> LogSource:
    """Return the log source that a rule names.

    Raises OtherEvents for one of other events, Unusable for none, and for one that seems a misspelt one of ours.
    """
    if not isinstance(found, dict) or not any(found.get(key) for key in ("category", "product", "service")):
        what = "no logsource" if found is None or isinstance(found, dict) else f"logsource {shown(found)}"
        raise Unusable(f"found {what}, expected one such as category: network_connection")
    category, product, service = (_name(found.get(key)) for key in ("category", "product", "service"))
    if category not in CATEGORIES and not (category is None and service == "sysmon"):
        if category is not None and (near := nearest(category, CATEGORIES, _ALIKE)):
            raise Unusable(f"found category {category}; did you mean {near}?")
        raise OtherEvents(
            f"found {f'category {category}' if category else f'service {service}' if service else 'no category'},"
            f" expected one of {', '.join(CATEGORIES)}"
        )
    if category == "network" and service not in _SERVICES_OF_NETWORK:
        raise OtherEvents(f"found service {service} of category network, expected connection or dns")
    if product not in (None, *PRODUCTS):
        if near := nearest(product, PRODUCTS) or next((one for one in PRODUCTS if product.startswith(one[:3])), None):
            raise Unusable(f"found product {product}; did you mean {near}?")
        raise OtherEvents(f"found product {product}, expected windows, linux, or none")
    return LogSource(category, product, service)


def _name(value: object) -> str | None:
    return None if value is None else str(value).strip().lower() or None
