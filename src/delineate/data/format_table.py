"""The table of data formats: what each is called, how it is found, read and written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from delineate.data.alto import find_alto, read_alto
from delineate.data.annotated import OnError
from delineate.data.cityscapes import find_cityscapes, read_cityscapes, write_cityscapes
from delineate.data.coco import find_coco, read_coco
from delineate.data.coco_panoptic import find_coco_panoptic, read_coco_panoptic
from delineate.data.coco_panoptic_write import write_coco_panoptic_splits
from delineate.data.coco_write import write_coco_splits
from delineate.data.cvat import find_cvat, read_cvat
from delineate.data.cvat_write import write_cvat
from delineate.data.datumaro import find_datumaro, read_datumaro
from delineate.data.geojson import find_geojson, read_geojson
from delineate.data.label_studio import find_label_studio, read_label_studio
from delineate.data.label_studio_write import write_label_studio
from delineate.data.labelme import find_labelme, read_labelme
from delineate.data.labelme_write import write_labelme
from delineate.data.labelme_xml import find_labelme_xml, read_labelme_xml
from delineate.data.layouts import Source, Sources
from delineate.data.lvis import find_lvis, read_lvis
from delineate.data.lvis_write import write_lvis
from delineate.data.mapillary import find_mapillary, read_mapillary
from delineate.data.mots import find_mots, read_mots
from delineate.data.open_images import find_open_images, read_open_images
from delineate.data.open_images_write import write_open_images
from delineate.data.page_xml import find_page_xml, read_page_xml
from delineate.data.png_ids import find_png_ids, read_png_ids, write_png_ids
from delineate.data.png_instances import (
    find_png_instances,
    read_png_instances,
    write_png_instances,
)
from delineate.data.sample import Dataset
from delineate.data.via import find_via, read_via
from delineate.data.via_write import write_via
from delineate.data.voc import find_voc, read_voc
from delineate.data.voc_write import write_voc
from delineate.data.yolo import find_yolo, read_yolo
from delineate.data.yolo_write import write_yolo


class Reader(Protocol):
    """Opens one split of a data set."""

    def __call__(self, source: Source, *, images: Path | str | None, on_error: OnError) -> Dataset:
        """Open `source`; see `open_dataset`."""
        ...


Written = Mapping[str, Sequence[str]]
"""Split -> what its pictures are called when they are read again, in the order of its records."""

Writer = Callable[[Path, Mapping[str, Dataset]], Written]
"""Writes splits into a folder, which exists and is empty. The names of their pictures are unique.

It raises DataError where the format cannot hold the data at all; what is merely lost on the way is
measured by `delineate.data.conversion`, which reads the result again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write annotations.

    Attributes:
        name: What the user calls it.
        title: Its name in prose.
        layout: How its files lie, for people: what follows "expected".
        find: Tells by the content of a file or folder where its splits are; None where it is not of
            this format. It may raise DataError where it is, and something about it is unclear.
        read: Opens a split.
        write: Writes splits; None where the format is only read.
    """

    name: str
    title: str
    layout: str
    find: Callable[[Path], Sources | None]
    read: Reader
    write: Writer | None = None


_ALL = (
    Format(
        name="coco",
        title="COCO instances",
        layout="train.json, val.json and perhaps test.json, their pictures in images/ beside them",
        find=find_coco,
        read=lambda source, **options: read_coco(source.path, **options),
        write=write_coco_splits,
    ),
    Format(
        name="coco_panoptic",
        title="COCO panoptic",
        layout="val.json, its maps in val/ and its pictures in images/ beside it",
        find=find_coco_panoptic,
        read=lambda source, **options: read_coco_panoptic(source.path, **options),
        write=write_coco_panoptic_splits,
    ),
    Format(
        name="voc",
        title="Pascal VOC segmentation",
        layout="SegmentationObject/, SegmentationClass/, JPEGImages/ and ImageSets/Segmentation/",
        find=find_voc,
        read=read_voc,
        write=write_voc,
    ),
    Format(
        name="cityscapes",
        title="Cityscapes",
        layout="gtFine/SPLIT/CITY/*_gtFine_instanceIds.png and leftImg8bit/SPLIT/CITY/",
        find=find_cityscapes,
        read=read_cityscapes,
        write=write_cityscapes,
    ),
    Format(
        name="png_ids",
        title="maps of object numbers",
        layout="images/NAME.jpg and masks/NAME.png, in which object n has the value n; perhaps "
        "classes.json; or a folder of these for each split",
        find=find_png_ids,
        read=read_png_ids,
        write=write_png_ids,
    ),
    Format(
        name="png_instances",
        title="one PNG for each object",
        layout="NAME/images/NAME.png and NAME/masks/*.png, or NAME/masks/CLASS/*.png; or a folder "
        "of these for each split",
        find=find_png_instances,
        read=read_png_instances,
        write=write_png_instances,
    ),
    Format(
        name="mapillary",
        title="Mapillary Vistas",
        layout="config_v*.json, SPLIT/images/ and SPLIT/v*/instances/",
        find=find_mapillary,
        read=read_mapillary,
    ),
    Format(
        name="mots",
        title="MOTS",
        layout="images/ and instances/ with maps of 16 bits; perhaps instances/labels.txt",
        find=find_mots,
        read=read_mots,
    ),
    Format(
        name="geojson",
        title="GeoJSON",
        layout="a GeoJSON file for each GeoTIFF, beside it or in a folder beside that of the "
        "pictures",
        find=find_geojson,
        read=read_geojson,
    ),
    Format(
        name="lvis",
        title="LVIS",
        layout="train.json and val.json, their pictures in images/train and images/val",
        find=find_lvis,
        read=read_lvis,
        write=write_lvis,
    ),
    Format(
        name="label_studio",
        title="Label Studio",
        layout="an export as JSON, such as train.json, its pictures in images/ or beside it",
        find=find_label_studio,
        read=read_label_studio,
        write=write_label_studio,
    ),
    Format(
        name="open_images",
        title="Open Images masks",
        layout="annotations/train-annotations-object-segmentation.csv, pictures in images/train, "
        "masks in masks/train",
        find=find_open_images,
        read=read_open_images,
        write=write_open_images,
    ),
    Format(
        name="via",
        title="VGG Image Annotator (VIA)",
        layout="train.json and val.json, their pictures in images/ or beside them",
        find=find_via,
        read=read_via,
        write=write_via,
    ),
    Format(
        name="yolo",
        title="YOLO segmentation",
        layout="data.yaml, pictures in images/train and images/val, labels in labels/train and "
        "labels/val",
        find=find_yolo,
        read=read_yolo,
        write=write_yolo,
    ),
    Format(
        name="labelme",
        title="labelme",
        layout="a JSON file for each picture beside it, perhaps in train/, val/ and test/",
        find=find_labelme,
        read=read_labelme,
        write=write_labelme,
    ),
    Format(
        name="cvat",
        title="CVAT 1.1",
        layout="annotations.xml (of images or a video), its pictures in images/ beside it",
        find=find_cvat,
        read=read_cvat,
        write=write_cvat,
    ),
    Format(
        name="labelme_xml",
        title="LabelMe XML",
        layout="an XML file for each picture, beside it or in Annotations/ beside Images/",
        find=find_labelme_xml,
        read=read_labelme_xml,
    ),
    Format(
        name="datumaro",
        title="Datumaro",
        layout="annotations/train.json, val.json and so on beside images/",
        find=find_datumaro,
        read=read_datumaro,
    ),
    Format(
        name="alto",
        title="ALTO",
        layout="an XML file for each picture beside it, perhaps in train/, val/ and test/",
        find=find_alto,
        read=read_alto,
    ),
    Format(
        name="page_xml",
        title="PAGE XML",
        layout="an XML file for each picture beside it, or in page/ below it",
        find=find_page_xml,
        read=read_page_xml,
    ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({format.name: format for format in _ALL})
"""Every format there is, by name."""
