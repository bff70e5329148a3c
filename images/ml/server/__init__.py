"""Serves models by the Open Inference Protocol (version 2). What it does is told in images/README.md."""
