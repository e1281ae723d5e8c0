"""Clips: a video file becomes pictures, frame by frame, and pictures become a video file. PyAV does the decoding.

Start reading at `reader.py`. Nothing here imports PyAV before a clip is opened.
"""
