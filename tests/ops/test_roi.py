"""RoIAlign and mask targets, against torchvision's kernels and numbers worked out by hand."""

import pytest
import torch
import torchvision

from delineate.ops.roi import assign_levels, crop_masks, pool_pyramid, roi_align

HEIGHT, WIDTH, STRIDE = 40, 60, 4
BOXES = torch.tensor(
    [
        [0.0, 0, 240, 160],  # the whole image
        [-9.0, -7, 30, 20],  # leaves it above and left
        [200.3, 130.7, 260, 190],  # below and right
        [300.0, 300, 400, 400],  # far outside
        [17.3, 40.9, 17.8, 41.1],  # less than a feature pixel
        [239.9, 159.9, 240, 160],  # the last corner
        [100.0, 50, 100, 50],  # nothing
        [33.3, 21.7, 155.2, 99.9],
    ]
)
IMAGE = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])


def feature_map(channels: int = 5, *, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(2, channels, HEIGHT, WIDTH, generator=random)
    return features.contiguous(memory_format=torch.channels_last)


def original(features, boxes, image, *, size, scale, sampling_ratio, aligned):
    rois = torch.cat([image[:, None].float(), boxes], dim=1)
    return torchvision.ops.roi_align(
        features.contiguous(), rois, size, scale, sampling_ratio, aligned
    )


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 7, 14])
def test_equals_torchvision(size, sampling_ratio, aligned):
    options = {"size": size, "sampling_ratio": sampling_ratio, "aligned": aligned}
    features = feature_map()
    ours = roi_align(features, BOXES, IMAGE, scale=1 / STRIDE, **options)
    theirs = original(features, BOXES, IMAGE, scale=1 / STRIDE, **options)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert theirs.abs().max() > 1  # there was something to compare


def test_gradient_equals_torchvision():
    options = {"size": 7, "scale": 1 / STRIDE, "sampling_ratio": 2, "aligned": False}
    ours, theirs = feature_map().requires_grad_(), feature_map().requires_grad_()
    weights = torch.randn(len(BOXES), 5, 7, 7, generator=torch.Generator().manual_seed(1))
    (roi_align(ours, BOXES, IMAGE, **options) * weights).sum().backward()
    (original(theirs, BOXES, IMAGE, **options) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-5)


def test_by_hand_on_a_ramp():
    """On f(x, y) = x the mean over a bin is its centre, half a pixel less where not aligned."""
    ramp = torch.arange(10.0).expand(1, 1, 10, 10)
    box, image = torch.tensor([[2.0, 2, 6, 6]]), torch.tensor([0])
    options = {"size": 2, "scale": 1.0, "sampling_ratio": 2}
    legacy = roi_align(ramp, box, image, aligned=False, **options)
    aligned = roi_align(ramp, box, image, aligned=True, **options)
    assert legacy[0, 0].tolist() == [[3, 5], [3, 5]]
    assert aligned[0, 0].tolist() == [[2.5, 4.5], [2.5, 4.5]]


def test_result_is_channels_last_and_keeps_half_precision():
    pooled = roi_align(
        feature_map(32).bfloat16(),
        BOXES,
        IMAGE,
        size=7,
        scale=1 / STRIDE,
        sampling_ratio=2,
        aligned=True,
    )
    assert pooled.dtype == torch.bfloat16
    assert pooled.is_contiguous(memory_format=torch.channels_last)


def test_memory_format_of_the_map_does_not_matter():
    options = {"size": 7, "scale": 1 / STRIDE, "sampling_ratio": 2, "aligned": True}
    features = feature_map()
    assert torch.equal(
        roi_align(features, BOXES, IMAGE, **options),
        roi_align(features.contiguous(), BOXES, IMAGE, **options),
    )


@pytest.mark.parametrize(
    ("side", "level"),
    [(1, 0), (111, 0), (112, 1), (223, 1), (224, 2), (447, 2), (448, 3), (5000, 3)],
)
def test_levels_change_at_powers_of_two_of_the_canonical_size(side, level):
    boxes = torch.tensor([[10.0, 20, 10 + side, 20 + side]])
    assert assign_levels(boxes, (4, 8, 16, 32), 224).tolist() == [level]


def test_pyramid_pools_each_box_from_its_level():
    maps = [torch.full((2, 3, 64 // 2**level, 64 // 2**level), float(level)) for level in range(3)]
    boxes = torch.tensor([[0.0, 0, 200, 200], [0, 0, 10, 10], [8, 8, 70, 72], [0, 0, 30, 30]])
    pooled = pool_pyramid(
        maps,
        boxes,
        torch.tensor([0, 1, 1, 0]),
        strides=(4, 8, 16),
        size=2,
        sampling_ratio=2,
        aligned=False,
        canonical_size=112,
    )
    assert pooled.shape == (4, 3, 2, 2)
    assert pooled[:, 0, 0, 0].tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize("strides", [(4,), (4, 8)])
def test_pyramid_without_boxes(strides):
    maps = [feature_map().requires_grad_() for _ in strides]
    nothing = torch.zeros(0, 4)
    options = {"strides": strides, "size": 7, "sampling_ratio": 2, "aligned": False}
    pooled = pool_pyramid(maps, nothing, torch.zeros(0, dtype=torch.int64), **options)
    assert pooled.shape == (0, 5, 7, 7)


def dense_and_crops(size=(90, 130)):
    """Objects inside, at every border, over the whole image, and of a single pixel."""
    height, width = size
    places = [(30, 20, 80, 70), (0, 0, 25, 30), (100, 60, width, height), (0, 40, width, 45)]
    places += [(0, 0, width, height), (50, 50, 51, 51)]
    random = torch.Generator().manual_seed(2)
    dense, crops, origins = [], [], []
    for x0, y0, x1, y1 in places:
        mask = torch.zeros(size, dtype=torch.uint8)
        mask[y0:y1, x0:x1] = torch.rand(y1 - y0, x1 - x0, generator=random) < 0.7
        left, top, right, bottom = max(x0 - 1, 0), max(y0 - 1, 0), x1 + 1, y1 + 1
        dense.append(mask)
        crops.append(mask[top:bottom, left:right].clone())
        origins.append((left, top))
    return torch.stack(dense), crops, torch.tensor(origins), torch.tensor(places).float()


@pytest.mark.parametrize("size", [14, 28])
def test_mask_targets_equal_torchvision_on_dense_masks(size):
    dense, crops, origins, places = dense_and_crops()
    random = torch.Generator().manual_seed(3)
    index = torch.arange(len(places)).repeat(30)
    boxes = places[index] + torch.randn(len(index), 4, generator=random) * 8
    boxes = torch.cat([boxes[:, :2], torch.maximum(boxes[:, 2:], boxes[:, :2] + 0.1)], dim=1)
    ours = crop_masks(crops, origins, index, boxes, size)
    rois = torch.cat([index[:, None].float(), boxes], dim=1)
    theirs = torchvision.ops.roi_align(dense[:, None].float(), rois, size, 1.0)[:, 0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert 0.2 < theirs.mean() < 0.8


def test_mask_target_of_the_object_s_own_box_by_hand():
    """A 4 x 4 object, upper half set, in its box: bins sample at whole pixels' corners."""
    crop = torch.zeros(6, 6, dtype=torch.uint8)
    crop[1:3, 1:5] = 1
    target = crop_masks(
        [crop], torch.tensor([[9, 19]]), torch.tensor([0]), torch.tensor([[10.0, 20, 14, 24]]), 4
    )
    # Bin centres lie at +0.5 but pixels are taken to lie at +0, so each bin averages 2 x 2 pixels.
    expected = [[1, 1, 1, 0.5], [0.5, 0.5, 0.5, 0.25], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert target[0].tolist() == expected


def test_no_boxes_have_no_mask_targets():
    targets = crop_masks([], torch.zeros(0, 2).long(), torch.zeros(0).long(), torch.zeros(0, 4), 28)
    assert targets.shape == (0, 28, 28)


def test_mask_targets_do_not_lose_precision_under_autocast():
    _, crops, origins, places = dense_and_crops()
    index = torch.arange(len(places))
    exact = crop_masks(crops, origins, index, places, 28)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(crop_masks(crops, origins, index, places, 28), exact)
