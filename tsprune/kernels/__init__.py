"""Arrays in, arrays out: numpy, with numba twins loaded only above a size switch."""
