"""The parts of the side-by-side harness: processes on their cores, loads, figures."""
