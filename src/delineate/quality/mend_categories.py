"""Repair of COCO's list of categories: those that differ in nothing but the id become one.

A name that is missing, or an id that two names share, only a person can put right: these stay as
they are, with their annotations.
"""

from collections import Counter

from delineate.quality.work import Record, Work, is_whole


def join_categories(work: Work) -> None:
    """Join categories that are equal but for their ids; the annotations go to the first.

    What bears an id that other names bear, too, stays.
    """
    listed = _once(work)
    shared = Counter(c["id"] for c in listed if is_whole(c.get("id")))
    first: dict[str, Record] = {}
    moved: dict[int, int] = {}
    stay: list[Record] = []
    for category in listed:
        own, name = category.get("id"), category.get("name")
        other = category
        if is_whole(own) and shared[own] == 1 and isinstance(name, str) and name.strip():
            other = first.setdefault(name, category)
        if other is category or other | {"id": own} != category:
            stay.append(category)
            continue
        moved[category["id"]] = other["id"]
        what = f"joined with category {other['id']}, which differs in nothing else"
        work.done("broken_category", what, before=category, after=other)
    work.content["categories"] = stay
    for annotation in work.content["annotations"]:
        category = annotation.get("category_id")
        if is_whole(category) and category in moved:
            annotation["category_id"] = moved[category]


def _once(work: Work) -> list[Record]:
    """Return every category once, where some are there twice as they are."""
    kept: list[Record] = []
    alike: dict[str, list[Record]] = {}
    for category in work.content["categories"]:
        before = alike.setdefault(repr((category.get("id"), category.get("name"))), [])
        if category in before:
            work.done("broken_category", "removed the second of two equal ones", before=category)
        else:
            before.append(category)
            kept.append(category)
    return kept
