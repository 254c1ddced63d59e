"""Ablation studies of deep learning with verdicts that can be trusted."""
