"""Monte Carlo accuracy of programmed networks: back ends, statistics, variance components."""

from tsb.monte_carlo.evaluate import BACKENDS as BACKENDS
from tsb.monte_carlo.evaluate import Chosen as Chosen
from tsb.monte_carlo.evaluate import MonteCarloResult as MonteCarloResult
from tsb.monte_carlo.evaluate import alike_chips as alike_chips
from tsb.monte_carlo.evaluate import choose_backend as choose_backend
from tsb.monte_carlo.evaluate import monte_carlo as monte_carlo
from tsb.monte_carlo.evaluate import right_answers as right_answers
from tsb.monte_carlo.statistics import AccuracyStats as AccuracyStats
from tsb.monte_carlo.statistics import PairedDifference as PairedDifference
from tsb.monte_carlo.statistics import accuracy_stats as accuracy_stats
from tsb.monte_carlo.statistics import interval95 as interval95
from tsb.monte_carlo.statistics import paired_difference as paired_difference
