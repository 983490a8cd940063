from archsim.config.resolve import Resolved as Resolved
from archsim.config.resolve import resolve as resolve
from archsim.errors import ArchsimError as ArchsimError
from archsim.explore.result import SweepResult as SweepResult
from archsim.network import LayerGraph as LayerGraph
from archsim.network import load_network as load_network
from archsim.pipeline import PAPER_NETWORKS as PAPER_NETWORKS
from archsim.pipeline import compare as compare
from archsim.pipeline import intervals as intervals
from archsim.pipeline import map_network as map_network
from archsim.pipeline import placement as placement
from archsim.pipeline import sensitivities as sensitivities
from archsim.pipeline_chips import deploy_chips as deploy_chips
from archsim.pipeline_chips import evaluate_chips as evaluate_chips
from archsim.pipeline_chips import tune_chips as tune_chips
from archsim.pipeline_program import program as program
from archsim.pipeline_report_run import report as report
from archsim.pipeline_report_write import Report as Report
from archsim.pipeline_study import evaluate as evaluate
from archsim.pipeline_study import train as train
from archsim.pipeline_sweep import open_sweep as open_sweep
from archsim.pipeline_sweep import sweep as sweep
from archsim.plan import Placement as Placement
from archsim.programmed import ProgramResult as ProgramResult
from archsim.results import CompareResult as CompareResult
from archsim.results import MapResult as MapResult

__version__: str
__all__: list[str]

def __getattr__(name: str) -> object: ...
def __dir__() -> list[str]: ...
