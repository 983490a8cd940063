"""Fits of measured cells: what a device file says of a device, from a table of its reads.

``columns`` names what a table may hold, ``rows`` streams it, ``groups`` reduces reads to writes of
cells, ``sums`` adds those up, ``estimate`` turns sums into numbers with intervals, ``device_text``
writes the file.
"""

from archsim.device.fit.device_text import device_text as device_text
from archsim.device.fit.fitted import Estimate as Estimate
from archsim.device.fit.fitted import Fitted as Fitted
from archsim.device.fit.fitted import FittedLevel as FittedLevel
from archsim.device.fit.run import fit_measurements as fit_measurements
