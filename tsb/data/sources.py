"""The data sets by name: shape, classes, normalisation, and where the official files are.

Means and standard deviations are those of the training images with pixels from 0 to 1. Checksums
are the MD5 sums published with the files or kept by torchvision (BSD-3-Clause).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archsim.errors import Code, ConfigError, close_matches
from tsb.data.cifar import CifarBatches
from tsb.data.idx import IDX_FILES, IdxFiles
from tsb.data.image_folder import ImageFolder
from tsb.data.reader import Reader


@dataclass(frozen=True, kw_only=True)
class Download:
    """One official file: its name, MD5 sum and address."""

    file: str
    md5: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set.

    Attributes:
        name: what the user writes.
        shape: channels, height, width.
        num_classes: number of classes.
        mean: per channel, of the training images.
        std: per channel, of the training images.
        downloads: official files; the first archive is enough where there are several formats.
        folders: names that the data may have below ``data_root``, best first; archives among them.
        class_names: in the order of the labels; empty if the files hold numbers only.
        label_md5: MD5 sums of the unpacked label files of the full set, ``train`` and ``test``.
        licence: under which terms, and whom to cite.
        shipped: folder of the files beside this module, "" if they do not come with archsim.
        reader: of the form that its files have.
    """

    name: str
    shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    downloads: tuple[Download, ...]
    folders: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    label_md5: dict[str, str] = field(default_factory=dict)
    licence: str
    reader: Reader
    shipped: str = ""


_IDX_ORDER = [name for pair in IDX_FILES.values() for name in pair]


def _idx_downloads(url: str, *sums: str) -> tuple[Download, ...]:
    names = [f"{name}.gz" for name in _IDX_ORDER]
    return tuple(
        Download(file=name, md5=md5, url=url + name) for name, md5 in zip(names, sums, strict=True)
    )


_MNIST = Source(
    name="mnist",
    shape=(1, 28, 28),
    num_classes=10,
    mean=(0.1307,),
    std=(0.3081,),
    downloads=_idx_downloads(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    folders=("mnist", "MNIST", "MNIST/raw"),
    reader=IdxFiles(),
    label_md5={
        "train": "a25bea736e30d166cdddb491f175f624",
        "test": "27ae3e4e09519cfbb04c329615203637",
    },
    licence="CC BY-SA 3.0; Y. LeCun, C. Cortes, C. J. C. Burges; doi:10.1109/5.726791",
)

_MNIST_PART = Source(
    name="mnist-part",
    shape=_MNIST.shape,
    num_classes=_MNIST.num_classes,
    mean=_MNIST.mean,
    std=_MNIST.std,
    downloads=(),
    folders=("mnist-part",),
    shipped="mnist-part",
    reader=IdxFiles(),
    licence=_MNIST.licence,
)

_FASHION = Source(
    name="fashion-mnist",
    shape=(1, 28, 28),
    num_classes=10,
    mean=(0.2860,),
    std=(0.3530,),
    downloads=_idx_downloads(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    folders=("fashion-mnist", "FashionMNIST", "FashionMNIST/raw"),
    reader=IdxFiles(),
    label_md5={
        "train": "9018921c3c673c538a1fc5bad174d6f9",
        "test": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    licence="MIT; H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747",
)

_CIFAR10 = Source(
    name="cifar10",
    shape=(3, 32, 32),
    num_classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    downloads=(
        Download(
            file="cifar-10-binary.tar.gz",
            md5="c32a1d4ab5d03f1284b67883e8d87530",
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
    ),
    folders=(
        "cifar-10-batches-bin",
        "cifar-10-batches-py",
        "cifar-10-binary.tar.gz",
        "cifar-10-python.tar.gz",
        "cifar10",
        "cifar10-jpeg.tar.gz",
    ),
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    reader=CifarBatches(),
    licence="no licence stated; A. Krizhevsky, Learning multiple layers of features, 2009",
)

_TINY = Source(
    name="tiny-imagenet",
    shape=(3, 64, 64),
    num_classes=200,
    # Of the training images, as commonly published with this set; checked here on no copy of it.
    mean=(0.4802, 0.4481, 0.3975),
    std=(0.2770, 0.2691, 0.2821),
    downloads=(
        Download(
            file="tiny-imagenet-200.zip",
            md5="90528d7ca1a48142e341f4ef8d21d0de",
            url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        ),
    ),
    folders=("tiny-imagenet-200", "tiny-imagenet", "tiny-imagenet-200.zip"),
    reader=ImageFolder(),
    licence="non-commercial research (ImageNet terms); Stanford CS231n, Y. Le, X. Yang, 2015",
)

_SOURCES = {source.name: source for source in (_MNIST, _MNIST_PART, _FASHION, _CIFAR10, _TINY)}


def dataset_names() -> tuple[str, ...]:
    """Return the names that :func:`tsb.data.load_dataset` knows."""
    return tuple(_SOURCES)


def source(name: str) -> Source:
    """Return the data set called ``name``.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in _SOURCES:
        raise ConfigError(
            f"data set '{name}'; allowed: {', '.join(_SOURCES)}." + close_matches(name, _SOURCES),
            code=Code.UNKNOWN_NAME,
            field="data",
            value=name,
            allowed=tuple(_SOURCES),
        )
    return _SOURCES[name]


def source_with_labels(md5: str) -> str | None:
    """Return which data set has label files with this MD5 sum, if any."""
    for candidate in _SOURCES.values():
        if md5 in candidate.label_md5.values():
            return candidate.name
    return None
