"""Drawn scenes of several worlds (workbench, yard, microscope, page), with exact masks."""
