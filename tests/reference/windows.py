"""SciPy's windows for Keras' initializer STFT, from NumPy alone: import it before such a layer is made. With SciPy at hand it does nothing."""
import importlib.util
import sys
import types

import numpy as np

COSINES = {"boxcar": (1.0,), "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}


def get_window(name, length, fftbins=True):
    """Sums of cosines over `length` places of one period (fftbins), or from end to end."""
    places = length + 1 if fftbins and length > 1 else length
    if places == 1:
        return np.ones(1)
    turn = np.linspace(-np.pi, np.pi, places)
    return sum(a * np.cos(k * turn) for k, a in enumerate(COSINES[name]))[:length]


if importlib.util.find_spec("scipy") is None:
    sys.modules["scipy"] = types.ModuleType("scipy")
    sys.modules["scipy"].signal = sys.modules["scipy.signal"] = types.ModuleType("scipy.signal")
    sys.modules["scipy.signal"].get_window = get_window
