"""Models to layer graphs: a network as the mapping compiler and the cost engine read it."""

from __future__ import annotations

from archsim.network.digital import DigitalOp as DigitalOp
from archsim.network.graph import LayerGraph as LayerGraph
from archsim.network.insertion import InsertionPoint as InsertionPoint
from archsim.network.layer import LayerKind as LayerKind
from archsim.network.layer import MvmLayer as MvmLayer
from archsim.network.layer import Pool as Pool
from archsim.network.layer import PoolKind as PoolKind
from archsim.network.load import load_network as load_network
from archsim.network.operation import Coverage as Coverage
from archsim.network.operation import Op as Op
from archsim.network.operation import OpKind as OpKind
from archsim.network.operation import Totals as Totals
from archsim.network.operation import UnmappedOp as UnmappedOp
from archsim.network.table import LayerTable as LayerTable
from archsim.network.table import from_graph as from_graph
from archsim.network.table import from_layer_csv as from_layer_csv
from archsim.network.trace import TraceWarning as TraceWarning
from archsim.network.trace import trace as trace
