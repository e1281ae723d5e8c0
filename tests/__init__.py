"""Tests of diffuse."""
