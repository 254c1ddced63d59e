"""Adapters: a pretrained network stays as it is, and a few numbers beside it are trained."""

from harness.adapters.base import Adapter

__all__ = ["Adapter"]
