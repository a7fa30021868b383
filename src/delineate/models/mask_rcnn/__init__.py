"""Mask R-CNN (He et al., 2017, arXiv:1703.06870)."""
