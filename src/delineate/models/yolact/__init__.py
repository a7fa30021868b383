"""YOLACT and YOLACT++."""
