"""The front door: its names are a promise, and opening it is free."""

import subprocess
import sys

import delineate

PUBLIC = [
    "ClassMap",
    "CocoMetric",
    "Dataset",
    "DelineateError",
    "Geometry",
    "InputError",
    "Instances",
    "Masks",
    "Predictor",
    "Preprocess",
    "Sample",
    "SyntheticScenes",
    "TrainConfig",
    "build",
    "fit",
    "list_models",
    "load",
    "open_dataset",
    "open_splits",
    "overlay",
    "read_image",
    "save_model",
    "split",
    "with_value",
    "write_image",
]


def test_the_names_are_these() -> None:
    assert sorted(delineate.__all__) == sorted(PUBLIC)


def test_every_name_is_there_and_documented() -> None:
    for name in PUBLIC:
        assert getattr(delineate, name).__doc__, name


def test_a_wrong_name_is_an_attribute_error() -> None:
    assert not hasattr(delineate, "segment_everything")


def test_importing_loads_nothing_heavy_and_prints_nothing() -> None:
    code = (
        "import os, sys, threading; before = dict(os.environ)\n"
        "import delineate\n"
        "heavy = {'torch', 'cv2', 'numpy', 'PIL', 'lightning_fabric'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert before == dict(os.environ) and threading.active_count() == 1"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_data_and_evaluation_need_no_torch() -> None:
    code = (
        "import sys, delineate\n"
        "delineate.open_dataset, delineate.CocoMetric, delineate.Instances, delineate.overlay\n"
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
