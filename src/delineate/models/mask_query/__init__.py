"""Set prediction with mask kernels: every object one query, every query one mask."""
