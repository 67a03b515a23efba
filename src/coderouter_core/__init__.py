"""A router between coding agents and the models behind them."""

__version__ = "0.1.0"
