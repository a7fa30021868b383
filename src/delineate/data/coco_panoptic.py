"""Read data sets in COCO's panoptic format: a JSON file, and beside it a folder of PNGs.

The format: https://cocodataset.org/#format-data, "Panoptic Segmentation". The maps of ``val.json``
lie in ``val/``, the pictures in ``images/``. Things are the instances of the data set; their ids
are those of the segments.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import read_image
from delineate.core.instances import Instances
from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.core.panoptic import Panoptic, to_instances, to_stuff_truth
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.picture_names import matches
from delineate.data.annotated import OnError, check_on_error, listing, settle
from delineate.data.coco import picture_folders, read_content
from delineate.data.coco_checks import check_images, check_object, ids_left_out
from delineate.data.layouts import Sources, files
from delineate.data.panoptic_maps import PanopticAnnotation, check_maps, read_panoptic
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord, Problem, Sample, Stated
from delineate.errors import DataError, nearest


class CocoPanopticDataset:
    """A data set read by `read_coco_panoptic`. Maps are decoded when their image is asked for.

    Args:
        name: A short name for reports.
        panoptic_classes: The file's categories.
        records: Its sound images; without a path where pictures were not asked for.
        annotations: The annotation of each, in the same order.
        problems: What was left out.
    """

    def __init__(
        self,
        *,
        name: str,
        panoptic_classes: PanopticClasses,
        records: Sequence[ImageRecord],
        annotations: Sequence[PanopticAnnotation],
        problems: Sequence[Problem],
    ) -> None:
        self.name = name
        self.panoptic_classes = panoptic_classes
        self.records = tuple(records)
        self.problems = tuple(problems)
        self._annotations = tuple(annotations)

    @property
    def classes(self) -> ClassMap:
        """The classes of the instances: the things."""
        return self.panoptic_classes.things

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        if record.path is None:
            raise DataError(
                f"{self.name}: expected to read the picture {record.name!r}, but the data set was "
                "opened without its pictures: open it with them."
            )
        panoptic = self.panoptic(index)
        return Sample(
            image=read_image(record.path),
            instances=to_instances(panoptic),
            image_id=record.image_id,
            name=record.name,
            stuff=to_stuff_truth(panoptic),
        )

    def panoptic(self, index: int) -> Panoptic:
        """All segments of image `index`, in the order of the file."""
        return read_panoptic(self._annotations[index], self.panoptic_classes)

    def instances(self, index: int) -> Instances:
        """The things of image `index`, in the order of the file."""
        return to_instances(self.panoptic(index))

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) `area` of each segment of image `index` as the file states it, else its pixels."""
        stated = np.array([s.area for s in self._annotations[index].segments], np.float64)
        if not np.isnan(stated).any():
            return stated
        drawn = np.array([s.area for s in self.panoptic(index).segments], np.float64)
        return np.where(np.isnan(stated), drawn, stated)

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) `area` of each instance of image `index` as the file states it, else its mask's."""
        labels = [s.label for s in self._annotations[index].segments]
        things = [self.panoptic_classes.is_thing(label) for label in labels]
        return np.compress(things, self.segment_areas(index))

    def stated(self, index: int) -> Stated:
        """What the file says of the things of image `index`; no map is read."""
        things = [
            segment
            for segment in self._annotations[index].segments
            if self.panoptic_classes.is_thing(segment.label)
        ]
        return Stated(
            labels=np.array([thing.label for thing in things], np.int64),
            crowd=np.array([thing.crowd for thing in things], np.bool_),
            areas=np.array([thing.area for thing in things], np.float64),
            boxes=np.full((len(things), 4), np.nan),
            misstated=np.zeros((len(things), 2), np.bool_),
            outlines=(None,) * len(things),
        )

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """(n, 4) x, y, width, height of the instances of image `index`: their masks'."""
        return xyxy_to_xywh(self.instances(index).boxes)


def find_coco_panoptic(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    return files(path, ".json", is_coco_panoptic)


def is_coco_panoptic(path: Path) -> bool:
    """Tell by its keys whether a file holds panoptic annotations."""
    return first_mark(path) == "{" and has_keys(path, "images", "categories", "segments_info")


def read_coco_panoptic(
    path: Path | str,
    *,
    images: Path | str | None = None,
    on_error: OnError = "stop",
    with_pictures: bool = True,
) -> CocoPanopticDataset:
    """Open a data set in COCO's panoptic format.

    Every record and every map is checked, and the header and end of every picture.

    Args:
        path: The JSON file; its maps lie in the folder of the same name, without the suffix.
        images: Folder of the pictures, as for `delineate.data.coco.read_coco`.
        on_error: What broken records do: "stop" raises, "skip" leaves exactly them out and lists
            them as `problems`, "report" does so even if no image is left. An image and its
            annotation go together.
        with_pictures: Look for the pictures. Evaluation needs none.

    Raises:
        DataError: The file is no such data set; or a record is broken and `on_error` is "stop", or
            no image is left and it is not "report".
    """
    check_on_error(on_error)
    path = Path(path)
    content = read_content(path)
    try:
        for category in content["categories"]:
            check_object(category)
        classes = PanopticClasses.from_coco(content["categories"])
    except Broken as broken:
        raise DataError(f"{path}: categories: {broken.why}: {broken.fix}.") from broken
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    maps = _map_folder(path)
    folders = picture_folders(path, images) if with_pictures else None

    looked_at = check_images(content["images"], folders)
    sound = {r.image_id: r for r in looked_at if isinstance(r, ImageRecord)}
    left_out = ids_left_out(content["images"], sound)
    checked = check_maps(content["annotations"], sound, left_out, classes, maps)
    found = {a.image_id: a for a in checked if isinstance(a, PanopticAnnotation)}
    problems = [p for p in (*looked_at, *checked) if isinstance(p, Problem)]
    owners = (annotation.get("image_id") for annotation in content["annotations"])
    annotated = {owner for owner in owners if isinstance(owner, int)}
    problems += [_unannotated(r) for i, r in sound.items() if i not in annotated]
    settle(path, len(looked_at), len(found), problems, on_error)
    return CocoPanopticDataset(
        name=f"{path.resolve().parent.name}/{path.stem}",
        panoptic_classes=classes,
        records=[record for image_id, record in sound.items() if image_id in found],
        annotations=[found[image_id] for image_id in sound if image_id in found],
        problems=problems,
    )


def read_panoptic_results(
    path: Path | str, truth: CocoPanopticDataset
) -> tuple[CocoPanopticDataset, int]:
    """Open predictions in COCO's panoptic format, which needs no images and no categories.

    Args:
        path: ``{"annotations": [{"image_id", "file_name", "segments_info"}, ...]}``, its maps in
            the folder of the same name. Where it lists ``images``, too, these are joined to the
            truth's by their names, see `delineate.core.picture_names`; else ids are compared. So
            are the classes of a file that lists ``categories``.
        truth: What was predicted: its classes and its images count.

    Returns:
        The predictions for the truth's images, in the truth's order; and how many there were for
        others, which are left out.

    Raises:
        DataError: The file is no such file, an annotation is broken, or an image has none.
    """
    path = Path(path)
    content = read_json(path)
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        raise DataError(
            f"{path}: expected panoptic results (an object with a list of annotations, each with "
            f"image_id, file_name and segments_info), got {kind(content)}: name such a file."
        )
    kept = {record.image_id: record for record in truth.records}
    stated, annotations = len(annotations), _joined_by_name(path, content, truth)
    annotations = _with_the_truths_classes(path, content, annotations, truth.panoptic_classes)
    owners = [a.get("image_id") for a in annotations]
    foreign = {i for i in owners if isinstance(i, int) and i not in kept}
    checked = check_maps(annotations, kept, foreign, truth.panoptic_classes, _map_folder(path))
    if problems := [p for p in checked if isinstance(p, Problem)]:
        raise DataError(listing(path, problems, skip=False))
    found = {a.image_id: a for a in checked if isinstance(a, PanopticAnnotation)}
    if missing := [record for record in truth.records if record.image_id not in found]:
        raise DataError(
            f"{path}: expected predictions for all {len(kept)} images of {truth.name}, got none for"
            f" {len(missing)} of them, such as image {missing[0].image_id} {missing[0].name!r}: "
            "predict on all of them; one in which nothing is found has an empty 'segments_info'."
        )
    results = CocoPanopticDataset(
        name=f"{path.resolve().parent.name}/{path.stem}",
        panoptic_classes=truth.panoptic_classes,
        records=[replace(record, path=None) for record in truth.records],
        annotations=[found[record.image_id] for record in truth.records],
        problems=(),
    )
    return results, stated - len(checked)


def _joined_by_name(
    path: Path, content: dict[str, Any], truth: CocoPanopticDataset
) -> list[dict[str, Any]]:
    """Return the annotations with the truth's ids; those of pictures it lacks are left out."""
    annotations: list[dict[str, Any]] = content["annotations"]
    listed = content.get("images")
    names = {
        image["id"]: image["file_name"]
        for image in (listed if isinstance(listed, list) else ())
        if isinstance(image, dict)
        and isinstance(image.get("id"), int)
        and isinstance(image.get("file_name"), str)
    }
    if not names:
        return annotations
    ids = {record.name: record.image_id for record in truth.records}
    found = matches(path, list(dict.fromkeys(names.values())), ids)
    joined: list[dict[str, Any]] = []
    for annotation in annotations:
        owner = annotation.get("image_id")
        if not isinstance(owner, int) or owner not in names:
            joined.append(annotation)
        elif names[owner] in found:
            joined.append({**annotation, "image_id": found[names[owner]]})
    return joined


def _with_the_truths_classes(
    path: Path,
    content: dict[str, Any],
    annotations: list[dict[str, Any]],
    classes: PanopticClasses,
) -> list[dict[str, Any]]:
    """Return the annotations with the truth's ids of the classes that the results name."""
    listed = content.get("categories")
    if not isinstance(listed, list) or not listed:
        return annotations
    try:
        theirs = ClassMap.from_coco(listed)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    known = dict(zip(classes.names, classes.source_ids, strict=True))
    if not known.keys() & set(theirs.names):
        raise DataError(
            f"{path}: expected segments of the truth's classes, such as {classes.names[0]!r}, got "
            f"others, such as {theirs.names[0]!r}: evaluate against the data that it was made for."
        )
    names: dict[object, str] = dict(zip(theirs.source_ids, theirs.names, strict=True))

    def renumbered(segment: object) -> object:
        name = names.get(segment.get("category_id")) if isinstance(segment, dict) else None
        if not isinstance(segment, dict) or name is None:
            return segment
        if name not in known:
            raise DataError(
                f"{path}: expected segments of the truth's classes, got one of {name!r}: "
                f"{nearest(name, known)}"
            )
        return {**segment, "category_id": known[name]}

    return [
        {**annotation, "segments_info": list(map(renumbered, segments))}
        if isinstance(segments := annotation.get("segments_info"), list)
        else annotation
        for annotation in annotations
    ]


def _map_folder(path: Path) -> Path:
    folder = path.with_suffix("")
    if not folder.is_dir():
        raise DataError(
            f"{path}: expected its maps, PNGs, in the folder {folder}, found no folder there: "
            "unpack them there."
        )
    return folder


def _unannotated(record: ImageRecord) -> Problem:
    return Problem(
        where=f"image {record.image_id} {record.name!r}",
        why="it has no annotation",
        fix="add one; an image without any segment has an empty 'segments_info'",
        action="the image left out",
    )
