"""Every layout of foreign checkpoints that we know, and which one a state dict has."""

from delineate.core.classes import ClassMap
from delineate.errors import ModelError, nearest
from delineate.models.api import SegModel
from delineate.models.zoo import MODELS, build
from delineate.weights import detectron2, detr, torchvision, yolact
from delineate.weights.file import fill
from delineate.weights.layout import Layout, State

LAYOUTS: tuple[Layout, ...] = (
    *torchvision.LAYOUTS,
    *detectron2.LAYOUTS,
    *yolact.LAYOUTS,
    *detr.LAYOUTS,
)
"""One tuple a program; a family to come adds its own here."""


def recognise(state: State) -> Layout:
    """Return the layout whose marks are all in a state dict.

    Raises:
        ModelError: There is none, or there are several.
    """
    found = [layout for layout in LAYOUTS if all(mark in state for mark in layout.marks)]
    if not found:
        shown = ", ".join(list(state)[:3]) or "no entries at all"
        raise ModelError(
            f"expected a checkpoint of {', '.join(layout.name for layout in LAYOUTS)}, got entries "
            f"of none of them ({shown} ...): choose the file of a whole model."
        )
    if len(found) > 1:
        reasons = "; ".join(f"{layout.name} has {', '.join(layout.marks)}" for layout in found)
        raise ModelError(
            f"expected a checkpoint of one program, got the entries of several ({reasons}): take "
            "apart what was joined."
        )
    return found[0]


def layout_named(name: str) -> Layout:
    """Return the layout of that name.

    Raises:
        ModelError: There is none.
    """
    layouts = {layout.name: layout for layout in LAYOUTS}
    if name not in layouts:
        raise ModelError(f"expected a layout, got {name!r}: {nearest(name, layouts)}")
    return layouts[name]


def check(state: State, layout: Layout) -> None:
    """Raise `ModelError` unless a state dict has all the marks of a layout."""
    if missing := [mark for mark in layout.marks if mark not in state]:
        raise ModelError(
            f"expected a checkpoint of the layout {layout.name}, which has {missing[0]}, and got "
            f"{len(state)} others: choose the file that belongs to this model."
        )


def fill_from(model: SegModel, state: State, layout: Layout) -> None:
    """Give `model` the weights of a foreign state dict.

    Raises:
        ModelError: An entry is missing, has no use, or has the wrong shape.
    """
    check(state, layout)
    fill(model, layout.to_ours(model, state))


def build_from(
    state: State, layout: Layout, *, name: str | None = None, classes: ClassMap | None = None
) -> SegModel:
    """Build the model a foreign state dict is of, and give it the weights, every one of them.

    Args:
        state: Under their names.
        layout: Of the state dict.
        name: In the zoo, where it is known: some models have the same entries, but images of
            another size or another dilation.
        classes: What the outputs mean, where it is known.

    Raises:
        ModelError: Names or shapes are not those of the layout, or of a model we have, or the
            number of classes is another.
    """
    check(state, layout)
    identity = layout.identify(state)
    count = len(identity.classes)
    if classes is not None and len(classes) != count:
        raise ModelError(
            f"expected {count} classes for this checkpoint, got {len(classes)}: complete the table."
        )
    name = name or identity.model
    is_told = name == identity.model  # else the entries are those of another model of the zoo
    model = build(
        name,
        classes=classes or identity.classes,
        preprocess=identity.preprocess if is_told else MODELS[name].preprocess,
        **identity.options,
    )
    fill_from(model, state, layout)
    return model.eval()
