"""Which setting to take, predicted in seconds: a cost model of the shapes, and a short calibration of this machine.

Importing this package does not import TensorFlow; only the process that measures the machine does.
"""

from kerasunroll.advice.advice import SETTINGS, advise
from kerasunroll.advice.network import Layer, Network
from kerasunroll.advice.prediction import Advice, Prediction

__all__ = ["SETTINGS", "Advice", "Layer", "Network", "Prediction", "advise"]
