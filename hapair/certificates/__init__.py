"""Certificates of the file: found, read, judged, watched. The workers get bytes, and read no file."""
