"""The one timing kit: needs numpy only and reads as Python 3.9, because it also runs on devices."""
