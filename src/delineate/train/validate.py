"""How good the weights of a run are: COCO's measures on a data set, one image at a time."""

from collections.abc import Callable

import torch

from delineate.data.sample import Dataset, PanopticDataset
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_result import kinds
from delineate.evaluate.panoptic import PanopticMetric
from delineate.models.api import SegModel
from delineate.models.fuse import optimize_for_inference


def measure(
    model: SegModel,
    dataset: Dataset,
    interrupted: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, float]]:
    """Return COCO's measures of a model's masks and boxes, looking at one image at a time.

    Of a model that knows stuff, on a data set that has some, the panoptic quality is told, too.

    Args:
        model: Evaluated in 32 bit, as it will be used: a copy that is optimised for inference.
        dataset: Of the model's classes, in the model's order.
        interrupted: Asked before every image; when it says yes, the rest is left out.
        tell: Receives the model's complaint, if it has one about every image of several objects.
    """
    metric = CocoMetric(model.classes, iou_types=kinds(masks=model.has_masks))
    has_stuff = len(model.panoptic_classes.stuff) > 0
    panoptic = dataset if has_stuff and isinstance(dataset, PanopticDataset) else None
    segments = PanopticMetric(model.panoptic_classes)
    complaints: list[str | None] = []
    model = optimize_for_inference(model)
    with torch.inference_mode():
        for index in range(len(dataset)):
            if interrupted():
                break
            sample = dataset[index]
            images, sizes, where = model.prepare([sample.image])
            raw = model(images, sizes)
            [found] = model.to_instances(raw, where)
            if len(sample.instances) > 1:
                complaints.append(model.complaint(raw))
            metric.update(
                sample.instances,
                found,
                image_id=sample.image_id,
                areas=dataset.areas(index),
                boxes=dataset.stated_boxes(index),
            )
            if panoptic is not None:
                areas = panoptic.segment_areas(index).tolist()
                [whole] = model.to_panoptic(raw, where)
                segments.update(panoptic.panoptic(index), whole, areas=areas)
    if complaints and complaints[0] and all(complaints):
        tell(complaints[0])
    measures = metric.compute().to_json()
    return measures if panoptic is None else measures | {"panoptic": segments.compute().summary()}
