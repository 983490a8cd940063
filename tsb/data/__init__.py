"""Images and labels: MNIST, Fashion-MNIST, CIFAR-10, Tiny ImageNet, with fixed splits."""

from tsb.data.dataset import Dataset as Dataset
from tsb.data.dataset import Split as Split
from tsb.data.load import load_dataset as load_dataset
from tsb.data.sources import dataset_names as dataset_names
