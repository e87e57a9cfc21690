"""A market application on one SQLite file: the workload that syncd is shown, measured and tested with.

`create` makes the file, `Trader` writes on it as the application would. A trader belongs in a process of its own,
`python -m syncd.market trade PATH`, as the application does.
"""

from syncd.market.build import MarketSize, create
from syncd.market.schema import SCHEMA
from syncd.market.trader import Commit, Trader, TradeStatistics

__all__ = ["SCHEMA", "Commit", "MarketSize", "TradeStatistics", "Trader", "create"]
