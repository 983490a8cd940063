"""Built-in networks, by name; a model's file is imported when the model is asked for."""

from __future__ import annotations

from archsim.network.zoo.base import ZooModel as ZooModel
from archsim.network.zoo.registry import ZooEntry as ZooEntry
from archsim.network.zoo.registry import build as build
from archsim.network.zoo.registry import entry as entry
from archsim.network.zoo.registry import names as names
