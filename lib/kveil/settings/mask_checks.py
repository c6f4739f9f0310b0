"""Whether the masks of a release and their keys fit one another."""

from collections.abc import Iterator, Mapping
from typing import Any

from kveil.settings.mask import BoughtTopBottom, DateShift, Encrypt, Fake, KeyedMask, Mask, Pseudonym, Swap


def keyed(masks: Mapping[str, Mask]) -> dict[str, KeyedMask]:
    """The masks that need a key, by column."""
    return {name: mask for name, mask in masks.items() if isinstance(mask, Pseudonym | Encrypt | Fake | DateShift)}


def swapped_columns(masks: Mapping[str, Mask]) -> list[str]:
    """The columns whose values change places within classes."""
    return [name for name, mask in masks.items() if isinstance(mask, Swap)]


def bought_bounds(masks: Mapping[str, Mask]) -> dict[str, BoughtTopBottom]:
    """The masks whose bounds are private quantiles, by column."""
    return {name: mask for name, mask in masks.items() if isinstance(mask, BoughtTopBottom)}


def mask_faults(masks: Mapping[str, Mask], keys: Mapping[int, str]) -> Iterator[str]:
    """What is wrong between the masks and their keys; nothing when they fit."""
    if keyed(masks) and not keys:
        named = ", ".join(keyed(masks))
        yield f"mask needs mask_keys for {named}, such as mask_keys: {{1: secret://env/MASK_KEY}}"
    if keys and not keyed(masks):
        yield "mask_keys are given and no column of mask needs a key; remove them or name a keyed technique"
    by_domain: dict[str, set[Any]] = {}
    for name, mask in keyed(masks).items():
        shape = mask.model_dump(exclude={"reason", "domain", "linkable", "unfit", "kind"})
        by_domain.setdefault(mask.domain_of(name), set()).add(tuple(sorted(shape.items())))
    for domain, shapes in by_domain.items():
        if len(shapes) > 1:
            yield (
                f"mask: the columns of domain {domain} ask for different techniques, formats, days or scopes; make these the "
                "same or the domains different"
            )
