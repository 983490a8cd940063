"""A study of methods on chips: train backbones, program chips, repair them, evaluate."""

from tsb.study.results import method_rows as method_rows
from tsb.study.results import seed_results as seed_results
from tsb.study.run import StudyRun as StudyRun
from tsb.study.run import begin_run as begin_run
from tsb.study.run import open_run as open_run
from tsb.study.run import run_study as run_study
