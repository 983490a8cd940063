from archsim.api.chips import deploy_chips as deploy_chips
from archsim.api.chips import evaluate_chips as evaluate_chips
from archsim.api.chips import tune_chips as tune_chips
from archsim.api.compare import PAPER_NETWORKS as PAPER_NETWORKS
from archsim.api.compare import compare as compare
from archsim.api.designs import evaluate_designs as evaluate_designs
from archsim.api.evaluate import evaluate as evaluate
from archsim.api.fit import fit_device as fit_device
from archsim.api.macro import macro as macro
from archsim.api.map import intervals as intervals
from archsim.api.map import limits as limits
from archsim.api.map import map_network as map_network
from archsim.api.map import placement as placement
from archsim.api.map import sensitivities as sensitivities
from archsim.api.pretrained import evaluate_network as evaluate_network
from archsim.api.program.run import program as program
from archsim.api.read import read as read
from archsim.api.report.run import report as report
from archsim.api.report.write import Report as Report
from archsim.api.sweep import open_sweep as open_sweep
from archsim.api.sweep import sweep as sweep
from archsim.api.train import train as train
from archsim.config.resolve import Resolved as Resolved
from archsim.config.resolve import resolve as resolve
from archsim.errors import ArchsimError as ArchsimError
from archsim.explore.query.result import SweepResult as SweepResult
from archsim.network import LayerGraph as LayerGraph
from archsim.network import load_network as load_network
from archsim.plan import Placement as Placement
from archsim.results.compared import CompareResult as CompareResult
from archsim.results.macro import MacroResult as MacroResult
from archsim.results.mapped import MapResult as MapResult
from archsim.results.network_accuracy import NetworkAccuracy as NetworkAccuracy
from archsim.results.programmed import ProgramResult as ProgramResult
from archsim.results.reading import ReadResult as ReadResult

__version__: str
__all__: list[str]

def __getattr__(name: str) -> object: ...
def __dir__() -> list[str]: ...
