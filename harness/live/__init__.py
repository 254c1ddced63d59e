"""A page on this machine that shows a run while it goes on, and reads nothing but its results."""

from harness.live.server import LIVE_PORT, answers, serve
from harness.live.status import Running, Status, read_status, write_status

__all__ = ["LIVE_PORT", "Running", "Status", "answers", "read_status", "serve", "write_status"]
