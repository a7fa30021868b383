"""What there is to find: every kind of finding, how bad it may be, and what it means.

`delineate.quality.checks` says which check finds it, `delineate.quality.repair` what is done
about it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from delineate.quality.findings import Severity

_ERROR: tuple[Severity, ...] = ("error",)
_WARNING: tuple[Severity, ...] = ("warning",)
_NOTE: tuple[Severity, ...] = ("note",)
_DOUBT: tuple[Severity, ...] = ("error", "warning")
_HABIT: tuple[Severity, ...] = ("warning", "note")


class Kind(NamedTuple):
    """One kind of finding: its severities, worst first, and its meaning in a few words."""

    severities: tuple[Severity, ...]
    meaning: str


TOLD: Mapping[str, Kind] = MappingProxyType(
    {
        "missing_picture": Kind(_ERROR, "a picture's file is not where it is looked for"),
        "unreadable_picture": Kind(_ERROR, "a picture is empty, cut off, damaged or none"),
        "forbidden_picture": Kind(_ERROR, "a picture is there, but this user may not read it"),
        "wrong_size": Kind(_ERROR, "a picture has another size than its record says"),
        "exif_rotated": Kind(_ERROR, "labels were drawn on a picture as stored, not as seen"),
        "picture_listed_twice": Kind(_ERROR, "two records name one file"),
        "repeated_id": Kind(_ERROR, "two images, or two annotations, have one id"),
        "unknown_image": Kind(_ERROR, "an annotation is of an image that is not listed"),
        "unknown_category": Kind(_ERROR, "an annotation is of a class that is not listed"),
        "no_mask": Kind(_ERROR, "an annotation has a box alone, or nothing"),
        "mask_outside": Kind(_ERROR, "a mask has no pixel in its picture"),
        "unreadable_mask": Kind(_ERROR, "a mask is neither outlines nor run lengths that fit"),
        "broken_category": Kind(_ERROR, "a class has no name, or shares its name or id"),
        "broken_record": Kind(_ERROR, "a record is none, lacks a field or has a wrong one"),
        "no_annotation_file": Kind(_WARNING, "a picture has no file of annotations"),
        "ids_off_by_one": Kind(_DOUBT, "class ids are counted from another number than the list"),
        "transposed_masks": Kind(_DOUBT, "all outlines are written y before x"),
        "normalised_coordinates": Kind(_ERROR, "all outlines are shares of the picture"),
        "percent_coordinates": Kind(_ERROR, "all outlines are percentages of the picture"),
        "box_convention": Kind(_ERROR, "all boxes are written in another way, such as corners"),
        "all_crowd": Kind(_ERROR, "every annotation of a split is marked as crowd"),
        "mostly_crowd": Kind(_WARNING, "most annotations of a split are marked as crowd"),
        "no_objects": Kind(_ERROR, "a split has no annotation that can be used"),
        "empty_images": Kind(_HABIT, "pictures have no object"),
        "class_names_differ": Kind(_ERROR, "a split has classes that the first does not know"),
        "class_ids_differ": Kind(_ERROR, "one id means two classes in two splits"),
        "class_missing_in_train": Kind(_ERROR, "a class is measured and never learnt"),
        "class_missing_in_val": Kind(_WARNING, "a class is learnt and never measured"),
        "rare_class": Kind(_WARNING, "a class has too few objects to be learnt"),
        "class_imbalance": Kind(_NOTE, "one class has a hundred times the objects of another"),
        "class_shift": Kind(_NOTE, "classes have other shares than in the training"),
        "similar_names": Kind(_WARNING, "two class names differ by case, plural or a letter"),
        "odd_name": Kind(_WARNING, "a class name has stray spaces or letters of two scripts"),
        "background_class": Kind(_WARNING, "the background is listed as a class"),
        "unused_class": Kind(_WARNING, "a class has no object in any split"),
        "mixed_sizes": Kind(_NOTE, "pictures differ much in size"),
        "picture_in_two_splits": Kind(_ERROR, "one file is listed in two splits"),
        "empty_mask": Kind(_ERROR, "an outline covers no pixel"),
        "thin_mask": Kind(_HABIT, "a mask is a line one pixel wide"),
        "tiny_mask": Kind(_HABIT, "a mask is a speck of a few pixels"),
        "whole_picture": Kind(_HABIT, "a mask covers the whole picture"),
        "partly_outside": Kind(_HABIT, "an outline leaves the picture by much"),
        "far_parts": Kind(_NOTE, "the parts of a mask lie far apart"),
        "self_crossing": Kind(_HABIT, "an outline crosses itself"),
        "outline_spike": Kind(_NOTE, "an outline runs out and back without area"),
        "repeated_points": Kind(_NOTE, "an outline has the same point again and again"),
        "box_disagrees": Kind(_DOUBT, "a stated box is none, or not that of its mask"),
        "area_differs": Kind(_WARNING, "a stated area is none, or not that of its mask"),
        "duplicate_object": Kind(_ERROR, "an object is annotated twice"),
        "copied_shape": Kind(_NOTE, "one shape was pasted at several places"),
        "two_classes": Kind(_ERROR, "one object is annotated under two classes"),
        "area_convention": Kind(_WARNING, "all areas are stated as another number"),
        "size_shift": Kind(_WARNING, "objects are of another size than in the training"),
        "centred_objects": Kind(_NOTE, "all objects lie in the middle of their pictures"),
        "border_avoided": Kind(_NOTE, "no object is cut off by the border"),
        "deep_pictures": Kind(_NOTE, "pictures have 16 bits a channel, of which 8 are read"),
        "dark_picture": Kind(_WARNING, "a picture uses a small part of its range"),
        "blank_picture": Kind(_WARNING, "a picture is of one colour"),
        "grey_among_coloured": Kind(_NOTE, "few pictures are grey, all others coloured"),
        "leakage": Kind(_ERROR, "a split shares pictures with the training"),
        "leaked_image": Kind(_ERROR, "a picture has a copy in another split"),
        "near_duplicate": Kind(_WARNING, "a picture has a changed copy in its split"),
        "exact_copy": Kind(_WARNING, "two files of a split are the same"),
        "labels_disagree": Kind(_DOUBT, "two copies of a picture are labelled differently"),
        "unlabelled": Kind(_HABIT, "a picture without labels looks like those that have some"),
        "few_points": Kind(_NOTE, "an outline has fewer points than others of its class"),
        "coarse_steps": Kind(_HABIT, "masks were made at a fraction of the picture's size"),
        "ragged_edge": Kind(_NOTE, "edges are more ragged than an object's"),
        "crumbs": Kind(_NOTE, "masks have loose pixels and pinholes"),
        "shifted_outlines": Kind(_WARNING, "outlines lie beside the edges in the picture"),
        "loose_outlines": Kind(_NOTE, "outlines run outside, or inside, all edges"),
        "mirrored_labels": Kind(_ERROR, "labels fit the mirrored or turned picture"),
        "strange_to_model": Kind(_WARNING, "with --model: it does not know these objects at all"),
        "missing_label": Kind(_HABIT, "with --model: an object has no label"),
        "spurious_label": Kind(_HABIT, "with --model: a label has no object"),
        "misclassified": Kind(_HABIT, "with --model: a label is of another class"),
        "badly_outlined": Kind(_HABIT, "with --model: a label is badly drawn"),
    }
)
"""Every kind, in the order in which checks find them."""
