"""COCO's raw category ids as classes: the outputs of torchvision's models and of DETR's."""

from delineate.core.classes import ClassMap

# fmt: off
_COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "N/A", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "N/A", "backpack",
    "umbrella", "N/A", "N/A", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "N/A", "wine glass", "cup", "fork", "knife", "spoon", "bowl",
    "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "N/A", "dining table", "N/A", "N/A", "toilet",
    "N/A", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "N/A", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)
# fmt: on

COCO_91 = ClassMap(
    names=tuple(f"N/A {i}" if n == "N/A" else n for i, n in enumerate(_COCO_NAMES, start=1)),
    source_ids=tuple(range(1, len(_COCO_NAMES) + 1)),
)
"""The 90 outputs (91 with background) of models trained on COCO's raw category ids.

Ten ids were never used. Their outputs exist all the same and take part in the softmax, so they
stay classes here, named "N/A 12" and so on: without them no score would be the published model's.
"""

COCO_80 = ClassMap(
    names=tuple(name for name in _COCO_NAMES if name != "N/A"),
    source_ids=tuple(i for i, name in enumerate(_COCO_NAMES, start=1) if name != "N/A"),
)
"""The 80 classes that COCO uses, without gaps: the outputs of YOLACT and detectron2."""

# fmt: off
_STUFF = {
    92: "banner", 93: "blanket", 95: "bridge", 100: "cardboard", 107: "counter", 109: "curtain",
    112: "door-stuff", 118: "floor-wood", 119: "flower", 122: "fruit", 125: "gravel", 128: "house",
    130: "light", 133: "mirror-stuff", 138: "net", 141: "pillow", 144: "platform",
    145: "playingfield", 147: "railroad", 148: "river", 149: "road", 151: "roof", 154: "sand",
    155: "sea", 156: "shelf", 159: "snow", 161: "stairs", 166: "tent", 168: "towel",
    171: "wall-brick", 175: "wall-stone", 176: "wall-tile", 177: "wall-wood", 178: "water-other",
    180: "window-blind", 181: "window-other", 184: "tree-merged", 185: "fence-merged",
    186: "ceiling-merged", 187: "sky-other-merged", 188: "cabinet-merged", 189: "table-merged",
    190: "floor-other-merged", 191: "pavement-merged", 192: "mountain-merged",
    193: "grass-merged", 194: "dirt-merged", 195: "paper-merged", 196: "food-other-merged",
    197: "building-other-merged", 198: "rock-merged", 199: "wall-other-merged", 200: "rug-merged",
}
# fmt: on
COCO_STUFF = ClassMap(names=tuple(_STUFF.values()), source_ids=tuple(_STUFF))
"""The 53 classes of stuff of COCO's panoptic task, by rising id."""

THINGS = 91
"""Raw ids below it are things, or unused."""

COCO_IDS = ClassMap(names=("N/A 0", *COCO_91.names), source_ids=(0, *COCO_91.source_ids))
"""The 91 outputs of DETR's box models: ids 0 to 90."""

COCO_PANOPTIC_IDS = ClassMap(
    names=(*COCO_IDS.names, *(_STUFF.get(i, f"N/A {i}") for i in range(THINGS, 250))),
    source_ids=tuple(range(250)),
)
"""The 250 outputs of DETR's panoptic models: things from 0 to 90, stuff from 92 to 200."""
