"""Everything that defines a training run, as one frozen value; and its way from and to text.

A recipe builds a `TrainConfig` in Python, ``--set optim.lr=1e-4`` edits it through `with_settings`,
a run folder keeps it as ``config.yaml``. The dataclasses below are the only definition: text is
checked against them strictly (an unknown key or a value of the wrong kind is an error that names
the option), and relations between fields are checked in ``__post_init__`` however the object was
made.

The value ``"auto"`` is legal where a field says so; `delineate.train.resolve` replaces it once,
from the model and the data, before anything else looks at the config.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from delineate.core.preprocess import Preprocess
from delineate.errors import ConfigError
from delineate.models.options import Options
from delineate.models.zoo import FAMILIES, ModelConfig
from delineate.train import yaml_text
from delineate.transforms.augment import AugmentConfig, Auto, Count, Positive, Share
from delineate.transforms.presets import Preset, with_preset

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
NotNegative = Annotated[float, Field(ge=0)]

_NULLS = ("", "~", "null")  # how YAML writes None
_PRESET = "augment.preset"  # can be set, and stands for the options that it names


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """How samples are read."""

    workers: Annotated[int, Field(ge=0)] | Auto = "auto"
    """Processes that read and transform images beside the training; 0 does it in between."""
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training images held out when the data have no validation split of their own."""
    group_by_size: bool = False
    """Batch images of similar shape together, which saves padding when whole images are used."""
    synthetic: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an epoch's samples that are made anew: training objects, cut out and pasted. Each
    of the `workers` keeps up to 150 MB of pictures at hand for it."""
    balance: Literal["none", "repeat_factor", "class_aware"] = "none"
    """Show images of rare classes more often: by the factor of their rarest class (LVIS), in longer
    epochs; or as if a class were drawn first, then an image of it. `delineate data stats` tells
    when, and what it would change. The other samples of a mosaic, mix-up or copy-paste are still
    drawn evenly from all images."""
    repeat_threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Balance "repeat_factor": share of the images below which a class is repeated; LVIS takes
    0.001. Null takes the median of the classes."""

    def __post_init__(self) -> None:
        if self.repeat_threshold is not None and self.balance != "repeat_factor":
            raise ConfigError(
                "data.repeat_threshold should be null unless data.balance is repeat_factor, but is "
                f"{self.repeat_threshold:g} with {self.balance}: set data.balance=repeat_factor, "
                "or leave the threshold out."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """What the losses of all families have in common."""

    class_weights: Literal["none", "effective"] | dict[str, Positive] = "none"
    """How much an object of each class counts where classes are told apart: all alike; by the
    effective number of its objects (Cui et al., 2019), fitted to the training set; or as named,
    for example {rust: 3}, the others 1. The background counts 1, and objects as often as
    `data.balance` shows them."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Class weights "effective": up to about 1 / (1 - beta) objects each new one adds as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimConfig:
    """The optimizer and the course of its learning rate."""

    name: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with momentum."""
    lr: Positive = 1e-3
    """Learning rate at the top of the schedule."""
    weight_decay: NotNegative = 0.05
    """Weight decay of matrices and kernels; norms and biases have none."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of SGD; the first beta of AdamW."""
    backbone_lr_factor: Positive = 1.0
    """The backbone learns at this multiple of the learning rate."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """Course of the learning rate over the budget, after the warm-up."""
    warmup_steps: Annotated[int, Field(ge=0)] | Auto = "auto"
    """Steps in which the learning rate rises linearly from nearly zero."""
    milestones: tuple[Share, ...] = (0.67, 0.89)
    """Schedule "step": shares of the budget after which the learning rate drops."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Schedule "step": factor of each drop."""
    min_lr_ratio: Share = 0.01
    """Schedule "cosine": share of the learning rate left at the end."""
    clip_norm: Positive | None = 10.0
    """Largest norm of the gradient of all weights together; null does not clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """How long to train: exactly one of the three."""

    steps: Count | None = None
    """Optimizer steps: a fully repeatable run."""
    epochs: Positive | None = None
    """Passes over the training set, its crops and repetitions, with the samples made beside them
    (`data.synthetic`): a fully repeatable run."""
    minutes: Positive | None = None
    """Wall-clock minutes, validation included; the schedule follows the clock."""

    def __post_init__(self) -> None:
        given = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"budget needs exactly one of steps, epochs, minutes, but has "
                f"{' and '.join(given) or 'none'}: set one, and leave the others null."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaConfig:
    """The running average of the weights that is validated and kept."""

    decay: Annotated[float, Field(ge=0, lt=1)] | None = 0.999
    """Decay a step, reached gradually as min(decay, (1 + t) / (10 + t)); null keeps no average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that defines a run, apart from the data themselves."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: Annotated[ModelConfig, Field(discriminator="family")]
    """The network."""
    preprocess: Preprocess
    """How an image becomes the network's input, in training and ever after."""
    pretrained: str | None = None
    """Weights to begin with: name:tag of a backbone or a model, a file, a run; null is random."""
    image_scale: Literal["auto", "preprocess"] = "preprocess"
    """Scale images so that small objects have enough pixels, or as `preprocess` says."""
    anchors: Literal["auto", "model"] = "auto"
    """Fit anchor sizes, and ratios where needed, to the training set, or keep the model's."""
    stuff: Literal["auto", "model"] = "model"
    """Learn the stuff of a panoptic training set, or what the model's `stuff_names` say."""
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    budget: BudgetConfig
    ema: EmaConfig = field(default_factory=EmaConfig)
    batch_size: Count = 8
    """Images in a forward and backward pass."""
    accumulate: Count = 1
    """Passes whose gradients are averaged into one optimizer step."""
    precision: Precision | Auto = "auto"
    """Arithmetic of the training step; validation is always in 32 bit."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the weights, of the order of the images and of every random change."""
    validate_every: Annotated[float, Field(gt=0, le=1)] | Auto = "auto"
    """Share of the budget between two validations; auto is a tenth."""
    checkpoint_minutes: Positive = 2.0
    """Minutes between two checkpoints of everything needed to resume."""
    checkpoint_steps: Count | None = None
    """Steps between two checkpoints, in addition to the minutes."""
    log_every: Count = 20
    """Steps summed up in one line of metrics.jsonl."""
    tensorboard: bool = False
    """Draw curves for TensorBoard too, in the run folder's tensorboard/ (extra "track")."""


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """Return the config as JSON-compatible nested dictionaries."""
    values: dict[str, Any] = json.loads(_adapter().dump_json(config, warnings=False))
    return values


def from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """Build a config from nested dictionaries, checking every name and value.

    Raises:
        ConfigError: A key is unknown, or a value is of the wrong kind or out of range.
    """
    try:
        text = json.dumps(values)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"a config holds only text, numbers, lists and null: {error}.") from None
    try:
        # As JSON a list may stand for a tuple; apart from that, nothing is converted.
        return _adapter().validate_json(text)
    except ValidationError as error:
        model = values.get("model")
        family = model.get("family") if isinstance(model, Mapping) else None
        raise ConfigError(_sentence(error, _hints(str(family)))) from None


def to_yaml(config: TrainConfig) -> str:
    """Return the config as YAML text that `from_yaml` reads back to an equal object."""
    return yaml_text.write(to_dict(config))


def from_yaml(text: str) -> TrainConfig:
    """Read a whole config from YAML text; a field that is missing has its default.

    Raises:
        ConfigError: The text is not YAML, a key is unknown, or a value does not fit.
    """
    values = yaml_text.read(text)
    if not isinstance(values, dict):
        raise ConfigError(
            f"a config is a YAML mapping of options (model, data, optim, ...), not {values!r}."
        )
    return from_dict(values)


def with_value(config: TrainConfig, path: str, value: object) -> TrainConfig:
    """Return a copy of `config` in which one option has another value.

    Args:
        config: The config to start from; it stays as it is.
        path: Dotted name of an option or a section, for example ``optim.lr``; or
            ``augment.preset``, which sets many options to those of `delineate.transforms.presets`.
        value: The value, or its text as on a command line: ``"1e-4"``, ``"[0.5, 2]"``, ``"null"``.

    Raises:
        ConfigError: No such option (the sentence names the nearest), or the value does not fit.
    """
    return _changed(config, [(path, value)])


def with_settings(config: TrainConfig, settings: Sequence[str]) -> TrainConfig:
    """Return a copy of `config` with changes as `--set` takes them; together they must fit.

    Args:
        config: The config to start from.
        settings: Texts ``path=value``, applied in order; see `with_value`. A preset comes before
            all others, wherever it stands, so that single options can differ from it; of several
            the last counts.

    Raises:
        ConfigError: A text has no ``=``, there is no such option, or a value does not fit.
    """
    changes = []
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"a setting should be option=value, but is {setting!r}.")
        changes.append((path.strip(), value))
    if len(budgets := {path for path, _ in changes if path.startswith("budget.")}) > 1:
        raise ConfigError(
            f"a run has one budget, but --set names {' and '.join(sorted(budgets))}: keep one."
        )
    return _changed(config, changes)


def known_paths(family: str, *, leaves: bool = False) -> list[str]:
    """Return the dotted names of all options and, unless only `leaves` are wanted, all sections.

    Args:
        family: Key of `delineate.models.zoo.FAMILIES`: each has options of its own.
        leaves: Leave the sections out.
    """
    return _names(_hints(family), leaves=leaves)


def _changed(config: TrainConfig, changes: Iterable[tuple[str, object]]) -> TrainConfig:
    values, hints = to_dict(config), {**_hints(config.model.family), _PRESET: Preset}
    for path, value in sorted(changes, key=lambda change: change[0] != _PRESET):
        if path not in hints:
            raise ConfigError(_unknown(path, hints))
        if path == _PRESET:
            values["augment"] = _preset(config, str(value))  # the last one counts
            continue
        *parents, name = path.split(".")
        section = values
        for parent in parents:
            section = section[parent]
        if parents == ["budget"]:
            section.clear()  # naming one kind of budget takes back the others
        section[name] = _read(path, value, hints[path]) if isinstance(value, str) else value
        if _sections(hints[path]):
            values = to_dict(from_dict(values))  # fills in what the new section leaves out
    return from_dict(values)


def _preset(config: TrainConfig, name: str) -> dict[str, Any]:
    """Return the section of a config in which the samples are changed as a preset says."""
    augment = with_preset(config.augment, name, family=config.model.family)
    section: dict[str, Any] = to_dict(replace(config, augment=augment))["augment"]
    return section


def _read(path: str, text: str, hint: object) -> object:
    """Return what a text means for an option: free text stays text, whatever it looks like."""
    if str in _alternatives(hint):
        return None if text.strip().lower() in _NULLS else text
    try:
        return yaml_text.read(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


Hints = Mapping[str, object]
Location = tuple[int | str, ...]


@cache
def _hints(family: str) -> Hints:
    """Return the type of every option and section, by dotted name.

    Args:
        family: Whose options `model` has; those of any family for a name that is none.
    """
    model = FAMILIES[family].config if family in FAMILIES else Options
    return dict(_walk(TrainConfig, "", {"model": model}))


def _walk(cls: type, prefix: str, known: Hints) -> Iterator[tuple[str, object]]:
    hints = {**get_type_hints(cls), **known}
    for item in fields(cls):
        yield prefix + item.name, hints[item.name]
        for section in _sections(hints[item.name]):
            yield from _walk(section, f"{prefix}{item.name}.", {})


def _sections(hint: object) -> list[type]:
    return [kind for kind in _alternatives(hint) if isinstance(kind, type) and is_dataclass(kind)]


def _alternatives(hint: object) -> tuple[Any, ...]:
    is_union = get_origin(hint) in (Union, UnionType)
    return get_args(hint) if is_union else (hint,)


@cache
def _adapter() -> TypeAdapter[TrainConfig]:
    return TypeAdapter(TrainConfig)


def _names(hints: Hints, *, leaves: bool) -> list[str]:
    return [path for path in hints if not (leaves and _sections(hints[path]))]


def _unknown(path: str, hints: Hints) -> str:
    """Name the options that may have been meant: those of the same last name, else similar ones."""
    known = _names(hints, leaves=True)
    same = [option for option in known if option.split(".")[-1] == path.split(".")[-1]]
    close = same or difflib.get_close_matches(path, known, n=3)
    if close:
        return f"unknown option {path!r}: did you mean {' or '.join(close)}?"
    names = ", ".join(item.name for item in fields(TrainConfig))
    return f"unknown option {path!r}: choose one of {names}."


def _sentence(error: ValidationError, hints: Hints) -> str:
    """Say the first thing that is wrong; a union's branches report one after the other."""
    problems = error.errors(include_url=False)
    first = problems[0]
    location = _without_family(first["loc"])
    path = _option(location, hints)
    if first["type"] == "unexpected_keyword_argument":
        unknown = ".".join(str(part) for part in location)
        return _unknown(unknown, hints)
    if first["type"] == "missing":
        short = isinstance(location[-1], int)
        return (
            f"option {path} {'has too few values' if short else 'is missing: it has no default'}."
        )
    if first["type"].startswith("union_tag"):
        return (
            f"option model.family should be one of {', '.join(FAMILIES)}, but is "
            f"{first['ctx'].get('tag', 'missing')}."
        )
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    wanted = [
        p["msg"].removeprefix("Input should be ")
        for p in problems
        if _option(_without_family(p["loc"]), hints) == path
    ]
    return f"option {path} should be {', or '.join(wanted)}, but is {first['input']!r}."


def _without_family(location: Location) -> Location:
    """Return pydantic's location without the family, which it names after ``model``."""
    return ("model", *location[2:]) if location[:1] == ("model",) else location


def _option(location: Location, known: Hints) -> str:
    """Return the part of pydantic's location that is an option's name."""
    path = ""
    for part in location:
        longer = f"{path}.{part}" if path else str(part)
        if longer not in known:
            break
        path = longer
    return path or "config"
